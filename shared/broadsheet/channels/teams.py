"""Microsoft Teams through a Workflows webhook: an Adaptive Card of text runs, the one element without Markdown.

Limits: 28 KB for the message. Workflows answers 202; the retired connectors answered 200 with the failure in words.
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
"""

from typing import Any

from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.exchange import Channel, Http, Response, Secret, encode, require_success, send, text_of
from broadsheet.channels.wording import context, fit, headline, lead, link

_TITLE = 1_500  # bytes; with the summary well under 28 KB even if JSON escapes every character
_SUMMARY = 6_000
_CONTEXT = 500


class TeamsSecret(Secret, frozen=True):
    """The workflow's URL."""

    url: str


def render(announcement: Announcement) -> dict[str, Any]:
    """Returns a message with one Adaptive Card: the linked title, the summary, and who said it when."""
    address = link(announcement.url)
    title: dict[str, Any] = {"size": "large", "weight": "bolder"}
    if address:
        title["selectAction"] = {"type": "Action.OpenUrl", "url": address}
    body = [_run(fit(headline(announcement), _TITLE, unit="bytes"), **title)]
    if summary := fit(lead(announcement), _SUMMARY, unit="bytes"):
        body.append(_run(summary))
    if said := fit(context(announcement), _CONTEXT, unit="bytes"):
        body.append(_run(said, isSubtle=True, size="small"))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": fit(headline(announcement), _CONTEXT, unit="bytes"),
        "body": body,
    }
    if address:
        card["selectAction"] = {"type": "Action.OpenUrl", "url": address}
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def post(channel: Channel, announcement: Announcement, http: Http) -> Receipt:
    secret = channel.unlock(TeamsSecret)
    _check(channel, send(http, channel, secret.url, encode(render(announcement))))
    return channel.receipt(announcement)


def _run(text: str, **look: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}


def _check(channel: Channel, response: Response) -> None:
    said = text_of(response)
    if response.status == 400 and "TriggerIsNotEnabled" in said:
        raise channel.closed("workflow-off", said)
    require_success(channel, response)
    if "delivery failed" in said.lower():
        if "429" in said:
            raise channel.transient("http-429", said)
        raise channel.refused("delivery-failed", said)
