"""Discord as a bot: the webhook's embed, with a nonce by which Discord itself drops a repeat within minutes.

https://discord.com/developers/docs/resources/message#create-message
"""

from typing import Any

from broadsheet.channels import discord
from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.digest import Digest
from broadsheet.channels.exchange import Channel, Http, Secret, encode, send

_NONCE = 25  # characters at most


class DiscordBotSecret(Secret, frozen=True):
    """A bot token and the id of the channel to post to."""

    token: str
    channel: str
    api_url: str = "https://discord.com/api/v10"


def render(announcement: Announcement) -> dict[str, Any]:
    """The webhook's message with the nonce, as a reply to the first post if this is an update."""
    message = {**discord.render(announcement), "nonce": announcement.delivery_id[:_NONCE], "enforce_nonce": True}
    if announcement.in_reply_to:
        message["message_reference"] = {"message_id": announcement.in_reply_to, "fail_if_not_exists": False}
    return message


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The message of a digest, and how many items it shows."""
    return render(digest), discord.digest(digest)[1]


def post(channel: Channel, announcement: Announcement, http: Http) -> Receipt:
    secret = channel.unlock(DiscordBotSecret)
    # Discord refuses clients that don't name themselves in this form.
    headers = {"authorization": f"Bot {secret.token}", "user-agent": "DiscordBot (broadsheet, 1)"}
    url = f"{secret.api_url}/channels/{secret.channel}/messages"
    return discord.accepted(channel, announcement, send(http, channel, url, encode(render(announcement)), headers))
