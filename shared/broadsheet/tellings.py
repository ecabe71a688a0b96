"""What a channel is told of records: one article, an update of it, or several together. Pure."""

from datetime import datetime

from broadsheet import channels
from broadsheet.channels import Announcement, Digest
from broadsheet.source import Channel, Sources
from broadsheet.store import Record


def announcement(
    record: Record,
    channel: Channel,
    sources: Sources,
    *,
    revision: int = 1,
    possible_repeat: bool = False,
    changes: str = "",
    in_reply_to: str | None = None,
) -> Announcement:
    """The record as the channel hears of it; of a later `revision` as an update, with `changes` saying of what."""
    source = sources.source(record.source)
    return Announcement(
        article_id=record.id,
        delivery_id=channels.delivery_id(record.id, channel.id, revision),
        title=record.title,
        url=record.url,
        summary=record.summary,
        source_name=source.name if source else record.source,
        published_at=datetime.fromisoformat(record.published_at) if record.published_at else None,
        language=record.language,
        image=record.image,
        authors=record.authors,
        section=record.section,
        tags=record.tags,
        reprint_of=record.reprint_of,
        kind="updated" if revision > 1 else "new",
        possible_repeat=possible_repeat,
        changes=changes,
        in_reply_to=in_reply_to,
    )


def digest(
    told: list[Announcement], channel: Channel, delivery_id: str, *, more: int = 0, possible_repeat: bool = False
) -> Digest:
    """What a channel is told of several articles together, grouped as it wishes."""
    return channels.compose(
        told,
        delivery_id=delivery_id,
        by=channel.digest.by if channel.digest else "source",
        more=more,
        possible_repeat=possible_repeat,
    )
