"""No error, cause, or repr ever shows a channel's secret, and a malformed one is a clear error."""

import json
import traceback

import pytest

from broadsheet.channels import KINDS, Announcement, ChannelClosedError, DeliveryError, post
from broadsheet.channels.exchange import Channel
from broadsheet.channels.slack import SlackSecret
from broadsheet.fetch import Client
from tests.unit.channels.loopback import Answer, Posted, listening

TOKEN = "hunter2-hunter2-hunter2"


def shown(error: BaseException) -> str:
    chain = "".join(traceback.format_exception(error))
    return f"{chain}{error!r}{error.__context__!r}{error.__cause__!r}{vars(error)}"


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_a_channel_that_repeats_the_secret_is_not_quoted(status: int, announcement: Announcement, wire: Client) -> None:
    def echo(posted: Posted) -> Answer:
        return Answer(status, f"token={posted.path[1:]}\x1b[31m {receiver.url}{posted.path} is wrong".encode())

    with listening(echo) as receiver, pytest.raises(DeliveryError) as caught:
        post("room", "slack", f"{receiver.url}/{TOKEN}", announcement, wire)
    assert TOKEN not in shown(caught.value)
    assert "\x1b" not in str(caught.value)
    assert "is wrong" in str(caught.value)


def test_even_a_short_key_is_not_quoted(announcement: Announcement, wire: Client) -> None:
    key = "p4ss+/="
    wrong = Answer(401, f"{key} does not fit".encode())
    with listening(lambda _: wrong) as receiver, pytest.raises(DeliveryError) as caught:
        post("room", "webhook", json.dumps({"url": receiver.url, "hmac_key": key}), announcement, wire)
    assert key not in shown(caught.value)
    assert "does not fit" in str(caught.value)


def test_network_trouble_is_transient_and_does_not_show_the_url(announcement: Announcement, wire: Client) -> None:
    with listening(lambda _: Answer()) as receiver:
        closed = receiver.url
    with pytest.raises(DeliveryError) as caught:
        post("room", "slack", f"{closed}/{TOKEN}", announcement, wire)
    assert not caught.value.perhaps_delivered  # nobody listened
    assert not caught.value.permanent
    assert TOKEN not in shown(caught.value)


def test_an_address_we_may_not_post_to_closes_the_channel(announcement: Announcement) -> None:
    careful = Client(user_agent="broadsheet-tests")
    with pytest.raises(ChannelClosedError, match="address-refused") as caught:
        post("room", "slack", f"http://169.254.169.254/{TOKEN}", announcement, careful)
    assert TOKEN not in shown(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "secret", ["", f"{{{TOKEN}", f'{{"nonsense": "{TOKEN}"}}', '{"url": 7}', f"ftp://{TOKEN}/", " "]
)
def test_a_malformed_secret_names_channel_and_shape_only(
    kind: str, secret: str, announcement: Announcement, wire: Client
) -> None:
    with pytest.raises(ChannelClosedError, match=r"^room: malformed-secret .*expected") as caught:
        post("room", kind, secret, announcement, wire)
    assert TOKEN not in shown(caught.value)


def test_reprs_are_silent() -> None:
    channel = Channel("room", f"https://hooks.example/{TOKEN}")
    assert TOKEN not in f"{channel!r}{channel}{channel.unlock(SlackSecret)!r}{channel.unlock(SlackSecret)}"


def test_an_unknown_kind_is_a_clear_error(announcement: Announcement, wire: Client) -> None:
    with pytest.raises(ChannelClosedError, match=r"room: unknown-kind .*slack"):
        post("room", "pigeon", "x", announcement, wire)
