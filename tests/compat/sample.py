"""Keep a release's data, with messages and stream records under way, for later ones to go on with.

    cd <a checkout of the release> && PYTHONPATH=shared:. python <this file> <folder: tests/compat/v0.1>

Half of the sample site is read; the other half is left in the queue, in the stream and in deliveries.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from local.embedded import EmbeddedAws
from local.receiver import Receiver
from local.site import SampleSite

ADDRESS, SITE_PORT, RECEIVER_PORT = "127.0.5.1", 8871, 8879  # fixed: articles' ids come from their addresses
PARAMETERS = {"FetchSeconds": "1", "RetryDelay": "1", "AllowedNetworks": "127.0.0.0/8"}
CHANNELS = {"town": "slack", "archive": "webhook"}
ARTICLES = 10  # stored at least, the last of them not told of yet


def sources(site: SampleSite, *, delay: float) -> str:
    """The sources file of the sample; above a second of delay, each visit to a host reads one page."""
    text = site.sources_yaml(CHANNELS, delay=delay, announce_first=100)
    return text.replace("kind: slack", "kind: slack\n  interval: 0").replace(
        "kind: webhook", "kind: webhook\n  interval: 0"
    )


def prepare(aws: EmbeddedAws, receiver: Receiver) -> None:
    """Tell the stack its channels' secrets."""
    for channel, kind in CHANNELS.items():
        value = json.dumps({"url": receiver.url(f"{kind}/{channel}")})
        name = f"/broadsheet/broadsheet/channels/{channel}"
        aws.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)


def main(folder: Path) -> None:
    """Read half of the site, and keep what is there."""
    with (
        tempfile.TemporaryDirectory() as made,
        SampleSite(address=ADDRESS, port=SITE_PORT, stall=3) as site,
        Receiver(RECEIVER_PORT) as receiver,
    ):
        file = Path(made) / "sources.yaml"
        file.write_text(sources(site, delay=2), encoding="utf-8")
        with EmbeddedAws(parameters={**PARAMETERS, "Sources": str(file)}, state_dir=folder) as aws:
            prepare(aws, receiver)
            aws.fire("DiscoverFunctionPoll", {"job": "poll", "force": True})
            while not (aws.backlog()["NotifyFunctionCommits"] and len(receiver.posts) >= ARTICLES):
                aws.step()
                time.sleep(0.1)
            print(aws.backlog(), len(receiver.posts))
        (folder / "posts.json").write_text(
            json.dumps([[post.path, post.payload] for post in receiver.accepted], indent=1)
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
