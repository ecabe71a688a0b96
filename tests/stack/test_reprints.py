"""A story that several papers print is stored for each of them, linked to where it stood first, whatever fails."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from broadsheet import reprints
from broadsheet.dynamo import from_item, to_item
from broadsheet.originals import FRESH, ROW, WINDOW, Originals
from broadsheet.store import Record
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die
from tests.stack.newsstand import HERALD, Newsstand, herald, item, opened, rss

COURIER, GAZETTE = "http://courier.example", "http://gazette.example"
PATH = "/2026/11/last-ferry-crosses-on-sunday"
STORY = (
    "The ferry that has crossed the bay since before the bridge was built will make its last trip on Sunday evening.",
    "Its captain told the council that spare parts for the engine are no longer made, and that a new boat would cost "
    "more than the town spends on its roads in four years; three families on the far shore have asked for a bus.",
    "The council promised an answer before the first frost, and set aside money for a museum in the old ticket house.",
    "Until then the boat stays moored at the northern pier, where visitors may go aboard whenever there is a market.",
)

OWLS = (
    "A pair of owls has moved into the reading room of the town library and will not leave before their young can fly.",
    "The librarian found feathers between the atlases on Monday and three eggs behind the encyclopaedia a day later; "
    "she has roped off the aisle, and whoever wants a volume from it fills in a slip and waits until the evening.",
    "Schoolchildren may look through a window that the carpenter cut into the door, five at a time and in their socks.",
    "The mayor, asked who would pay for the mice, said that the budget for acquisitions had room for them until June.",
)


def printed(title: str, *paragraphs: str) -> bytes:
    text = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return (
        f'<!doctype html><html lang="en"><head><title>{title}</title></head>'
        f"<body><article><h1>{title}</h1>{text}</article></body></html>"
    ).encode()


@pytest.fixture
def stand(cloud: Cloud) -> Iterator[Newsstand]:
    """Three papers with one story each; only the first is on sale yet."""
    with opened(cloud) as stand:
        sites = {"herald": HERALD, "courier": COURIER, "gazette": GAZETTE}
        stand.sources = tuple(herald(id=id, url=f"{site}/feed") for id, site in sites.items())
        stand.pages |= {f"{site}/feed": rss(link=site) for site in sites.values()}
        stand.pages[HERALD + PATH] = printed("Last ferry crosses on Sunday", *STORY)
        stand.pages[COURIER + PATH] = printed("Farewell to the ferry", "As was to be heard at the pier:", *STORY)
        stand.pages[GAZETTE + PATH] = printed("The ferry goes", *STORY[:3])
        stand.pages[f"{HERALD}/feed"] = rss(item(PATH), link=HERALD)
        stand.poll()
        yield stand


def sell(stand: Newsstand, site: str, path: str = PATH) -> Record:
    """The paper's story comes out."""
    stand.pages[f"{site}/feed"] = rss(item(path, site=site), link=site)
    stand.later(0.1)
    stand.poll()
    return next(record for record in stand.stored if record.url == site + path)


def text_items(stand: Newsstand) -> list[dict[str, Any]]:
    return [from_item(one) for one in stand.cloud.items(stand.cloud.state_table) if one["pk"]["S"].startswith("texts#")]


def filed(stand: Newsstand) -> int:
    """How many texts there are, in all items."""
    return sum(len(one["texts"]) // ROW for one in text_items(stand))


def test_reprints_are_stored_announced_and_linked_to_the_first(stand: Newsstand) -> None:
    (first,) = stand.stored
    assert first.reprint_of is None
    second, third = sell(stand, COURIER), sell(stand, GAZETTE)
    assert (second.reprint_of, third.reprint_of) == (first.id, first.id)
    assert stand.posts.total() == 3
    for record in stand.stored:
        document = json.loads(
            stand.cloud.s3.get_object(Bucket=stand.cloud.bucket, Key=record.s3_key or "")["Body"].read()
        )
        assert document["reprint_of"] == (None if document["id"] == first.id else first.id)


def test_copies_in_one_batch_see_each_other_though_they_come_at_once(stand: Newsstand) -> None:
    """Their pages arrive in one moment, and every write takes a while: one is the first, and the others know it."""
    sites = [f"http://paper-{n}.example" for n in range(4)]
    stand.sources = tuple(herald(id=f"paper-{n}", url=f"{site}/feed") for n, site in enumerate(sites))
    for n, site in enumerate(sites):
        stand.pages |= {f"{site}/feed": rss(item(PATH, site=site), link=site), site + PATH: printed(f"{n}", *OWLS)}
    stand.later()
    together = threading.Barrier(len(sites))
    plain = stand.client.get

    def at_once(url: str, **options: Any) -> Any:
        if url.endswith(PATH):
            together.wait(timeout=5)
        return plain(url, **options)

    stand.client.get = at_once  # type: ignore[method-assign]  # the real fetch, none before all
    events = stand.cloud.s3.meta.events
    events.register("before-send.s3.PutObject", slowly := lambda **_: time.sleep(0.05))
    try:
        stand.poll()
    finally:
        events.unregister("before-send.s3.PutObject", slowly)
    copies = [one for one in stand.stored if "paper-" in one.url]
    (first,) = {one.reprint_of for one in copies} - {None}
    assert [one.id for one in copies if one.reprint_of is None] == [first]


def test_another_story_is_linked_to_none(stand: Newsstand) -> None:
    told = [
        f"Nothing of paragraph {n} was in any paper, for it is about owls and libraries of town {n}." for n in range(9)
    ]
    stand.pages[f"{COURIER}/2026/11/owls-in-the-library"] = printed("Owls in the library", *told)
    assert sell(stand, COURIER, "/2026/11/owls-in-the-library").reprint_of is None


def test_a_brief_costs_nothing(stand: Newsstand) -> None:
    stand.pages[f"{COURIER}/2026/11/in-brief-owls"] = printed("In brief: owls", STORY[0], STORY[3])
    with before(stand.cloud.dynamodb, "Query", die) as asked:
        sell(stand, COURIER, "/2026/11/in-brief-owls")
    assert "Query" not in asked
    assert filed(stand) == 1


def test_what_it_costs(stand: Newsstand) -> None:
    """One item for all texts of a batch, of which a write unit holds a dozen; reprints aren't filed."""
    for n in range(12):
        told = [f"Paragraph {n}.{part}: " + " ".join(f"{word}{n}" for word in OWLS[part].split()) for part in range(4)]
        stand.pages[f"{COURIER}/story-{n}"] = printed(f"Story {n}", *told)
    stand.pages[f"{COURIER}/feed"] = rss(*(item(f"/story-{n}", site=COURIER) for n in range(12)), link=COURIER)
    stand.later()
    stand.poll()
    first, second = sorted(text_items(stand), key=lambda one: len(one["texts"]))
    assert (len(first["texts"]), len(second["texts"])) == (ROW, 12 * ROW)
    assert sum(len(name) + len(value) for name, value in second.items() if not isinstance(value, int)) < 900
    sell(stand, GAZETTE)
    assert filed(stand) == 13


def test_a_worker_sees_what_another_filed_meanwhile_and_reads_nothing_twice(stand: Newsstand) -> None:
    ours, theirs = (Originals(stand.cloud.dynamodb, stand.cloud.state_table) for _ in range(2))
    text, other = (reprints.signature("\n\n".join(story)) for story in (STORY, OWLS))
    assert text is not None
    assert other is not None
    (first,) = stand.stored
    assert ours.find(text, id="another", now=stand.now) == first.id
    theirs.file(other, id="owls", now=stand.now)
    assert theirs.find(other, id="copy", now=stand.now) == "owls"
    assert ours.find(other, id="copy", now=stand.now) is None
    theirs.save(now=stand.now)
    assert ours.find(other, id="copy", now=stand.now + FRESH / 2) is None, "it looked a moment ago"
    for moment in range(1, 4):
        assert ours.find(other, id="copy", now=stand.now + moment * FRESH) == "owls"
    assert len(ours._texts) == 2
    assert theirs.find(text, id="another", now=stand.now) == first.id


def test_a_worker_remembers_so_many_and_then_begins_anew(stand: Newsstand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broadsheet.originals.MOST", 5)
    monkeypatch.setattr("broadsheet.originals.MORE", 4)
    originals = Originals(stand.cloud.dynamodb, stand.cloud.state_table)
    most, begun = 0, 0
    for n in range(24):
        now = stand.now + n * 60
        originals.file(n << 200, id=f"text-{n}", now=now)
        originals.save(now=now)
        before_it = len(originals._texts)
        assert originals.find(n << 200, id="", now=now + FRESH)
        begun += len(originals._texts) < before_it
        most = max(most, len(originals._texts))
    assert most <= 10
    assert begun <= 6, "it is not to read all it has room for at every look"


def test_beginning_anew_files_what_is_not_saved_yet(stand: Newsstand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broadsheet.originals.MOST", 0)
    monkeypatch.setattr("broadsheet.originals.MORE", 0)
    was = filed(stand)
    originals = Originals(stand.cloud.dynamodb, stand.cloud.state_table)
    originals.file(7 << 200, id="text-7", now=stand.now)
    originals.find(8 << 200, id="", now=stand.now)
    originals.save(now=stand.now)
    assert filed(stand) == was + 1


def test_a_worker_whose_first_look_failed_reads_all_at_its_next(stand: Newsstand) -> None:
    (first,) = stand.stored
    text = reprints.signature("\n\n".join(STORY))
    assert text is not None
    originals = Originals(stand.cloud.dynamodb, stand.cloud.state_table)
    later = stand.now + 600

    def refuse(_: object) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError", "Message": "not now"}}, "Query")

    with before(stand.cloud.dynamodb, "Query", refuse):
        assert originals.find(text, id="another", now=later) is None
    assert originals.find(text, id="another", now=later + FRESH) == first.id


def test_what_was_forgotten_is_linked_to_no_more_by_whoever_remembers_it(stand: Newsstand) -> None:
    (first,) = stand.stored
    parser = stand.parser()
    stand.pages[f"{COURIER}/feed"] = rss(item(PATH, site=COURIER), link=COURIER)
    stand.discoverer().run(force=True)
    assert parser._originals
    text = reprints.signature("\n\n".join(STORY))
    assert text is not None
    assert parser._originals.find(text, id="", now=stand.now) == first.id
    stand.cloud.dynamodb.update_item(
        TableName=stand.cloud.articles_table,
        Key={"id": {"S": first.id}},
        UpdateExpression="SET #s = :f",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":f": {"S": "forgotten"}},
    )
    parser.run([(one["MessageId"], one["Body"]) for one in stand.cloud.messages(stand.cloud.queue_url)])
    assert [one.reprint_of for one in stand.stored] == [None]


def test_after_some_days_a_text_is_new_again(stand: Newsstand) -> None:
    stand.later(WINDOW / 3600)
    assert sell(stand, COURIER).reprint_of is None
    assert sell(stand, GAZETTE).reprint_of == next(one.id for one in stand.stored if one.url.startswith(COURIER))


@pytest.mark.parametrize("operation", ["Query", "PutItem"])
def test_a_text_that_cannot_be_looked_up_or_filed_is_stored_all_the_same(stand: Newsstand, operation: str) -> None:
    def refuse(params: dict[str, Any], **_: Any) -> None:
        if "texts#" in str(params):
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": "not now"}}, operation)

    (first,) = stand.stored
    event, hooks = f"before-parameter-build.dynamodb.{operation}", stand.cloud.dynamodb.meta.events
    hooks.register(event, refuse)
    try:
        linked = sell(stand, COURIER).reprint_of
    finally:
        hooks.unregister(event, refuse)
    assert linked == (None if operation == "Query" else first.id)
    assert stand.posts.total() == 2


@pytest.mark.parametrize("death", [die, done_then_die])
@pytest.mark.parametrize("operation", ["PutObject", "PutItem"])
def test_a_retry_keeps_the_link_that_was_written(
    stand: Newsstand, operation: str, death: Callable[[Any], object]
) -> None:
    """The original leaves the files between the two tries, so that a second look would find nothing."""
    (first,) = stand.stored
    stand.pages[f"{COURIER}/feed"] = rss(item(PATH, site=COURIER), link=COURIER)
    stand.discoverer().run(force=True)
    bodies = [(one["MessageId"], one["Body"]) for one in stand.cloud.messages(stand.cloud.queue_url)]
    client: Any = stand.cloud.s3 if operation == "PutObject" else stand.cloud.dynamodb
    with before(client, operation, death, nth=1 if operation == "PutObject" else 2), pytest.raises(KilledError):
        stand.parser().run(bodies)  # the first PutItem is robots.txt's
    for one in text_items(stand):
        stand.cloud.dynamodb.delete_item(
            TableName=stand.cloud.state_table, Key=to_item({name: one[name] for name in ("pk", "sk")})
        )
    stand.later()
    stand.parser().run(bodies)
    record = next(one for one in stand.stored if one.url == COURIER + PATH)
    written = operation == "PutItem" or death is done_then_die
    assert record.reprint_of == (first.id if written else None)
    assert record.s3_key
    body = stand.cloud.s3.get_object(Bucket=stand.cloud.bucket, Key=record.s3_key)["Body"].read()
    assert json.loads(body)["reprint_of"] == record.reprint_of


def test_an_article_is_no_reprint_of_itself(stand: Newsstand) -> None:
    """A worker may commit and file between another's two looks at one article."""
    (first,) = stand.stored
    text = reprints.signature("\n\n".join(STORY))
    assert text
    originals = Originals(stand.cloud.dynamodb, stand.cloud.state_table)
    assert originals.find(text, id=first.id, now=stand.now) is None
    assert originals.find(text, id="another", now=stand.now) == first.id
