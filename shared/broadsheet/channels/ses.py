"""E-mail through Amazon SES. https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html"""

from broadsheet.channels import mail
from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.aws import call, client
from broadsheet.channels.exchange import Channel, Http, Secret

render, digest = mail.render, mail.digest


class SesSecret(Secret, frozen=True):
    """Who sends (a verified identity) and who receives, at most 50 addresses; `region` if SES lives elsewhere."""

    sender: str
    recipients: list[str]
    region: str | None = None


def post(channel: Channel, announcement: Announcement, _http: Http) -> Receipt:
    secret = channel.unlock(SesSecret)
    parts = render(announcement)
    simple = {
        "Subject": {"Data": parts["subject"], "Charset": "UTF-8"},
        "Body": {
            "Text": {"Data": parts["text"], "Charset": "UTF-8"},
            "Html": {"Data": parts["html"], "Charset": "UTF-8"},
        },
        "Headers": [{"Name": "X-Broadsheet-Delivery", "Value": announcement.delivery_id}],
    }
    ses = client("sesv2", secret.region)
    # Bcc: readers of one list needn't learn each other's addresses.
    to = {"ToAddresses": secret.recipients} if len(secret.recipients) == 1 else {"BccAddresses": secret.recipients}
    sent = call(
        channel,
        lambda: ses.send_email(FromEmailAddress=secret.sender, Destination=to, Content={"Simple": simple}),
    )
    return channel.receipt(announcement, sent["MessageId"])
