"""An SNS topic: the JSON webhook's body for programs, with attributes to filter by and a line for mail subscribers.

Limits: a subject of 100 printable ASCII characters; 256 KB. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

import json
from typing import Any

from broadsheet.channels import webhook
from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.aws import call, client
from broadsheet.channels.digest import Digest
from broadsheet.channels.exchange import Channel, Http, Secret
from broadsheet.channels.wording import fit, headline

_SUBJECT = 100
_UNTITLED = "New article"  # for a title without a single ASCII letter: a subject may not be empty
_LONGEST = 20_000  # characters of title and summary: at most 240 KB in ASCII-escaped JSON, whatever they hold


class SnsSecret(Secret, frozen=True):
    """The topic's ARN, which names the region; no secret, but kept where the others are."""

    topic_arn: str


def render(announcement: Announcement) -> dict[str, Any]:
    """Returns {"Subject", "Message", "MessageAttributes"} as Publish takes them."""
    body = webhook.render(announcement)
    for article in body.get("articles") or [body["article"]]:
        for field in ("title", "summary"):
            article[field] = fit(article[field], _LONGEST)
    subject = headline(announcement).encode("ascii", "ignore").decode()
    subject = "".join(c for c in subject if c.isprintable()).strip()
    told = {"delivery_id": announcement.delivery_id, "kind": announcement.kind, "language": announcement.language}
    return {
        "Subject": fit(subject, _SUBJECT, lambda text: text.replace("…", "...")) if _says(subject) else _UNTITLED,
        "Message": json.dumps(body),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in told.items() if value
        },
    }


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The message of a digest, and how many articles it has."""
    return render(digest), webhook.digest(digest)[1]


def post(channel: Channel, announcement: Announcement, _http: Http) -> Receipt:
    secret = channel.unlock(SnsSecret)
    parts = secret.topic_arn.split(":")
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "sns":
        raise channel.closed("malformed-secret", "expected the ARN of an SNS topic")
    message = render(announcement)
    if secret.topic_arn.endswith(".fifo"):
        message |= {"MessageGroupId": channel.id, "MessageDeduplicationId": announcement.delivery_id}
    sns = client("sns", parts[3])
    sent = call(channel, lambda: sns.publish(TopicArn=secret.topic_arn, **message))
    return channel.receipt(announcement, sent["MessageId"])


def _says(subject: str) -> bool:
    return any(c.isalnum() for c in subject)
