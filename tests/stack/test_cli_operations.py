"""`status`, `article`, `enqueue` and `export`, over the sample site's articles in the embedded AWS."""

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import duckdb
import jsonschema  # type: ignore[import-untyped]  # ships none
import pytest
from click.testing import CliRunner, Result

from broadsheet import contract, mirror
from broadsheet.cli import export, main
from broadsheet.queue import decode
from broadsheet.store import record_from_item
from local.embedded import EmbeddedAws
from local.receiver import Receiver
from local.site import SampleSite
from local.watch import Watch
from tests.browser import Browser

FAST = {"FetchSeconds": "1", "RetryDelay": "1", "AllowedNetworks": "127.0.0.0/8", "RawArchive": "on"}

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "seed"  # beside the checkout, if at all


class World:
    """The site's articles, stored and told of once, and what commands say of them."""

    def __init__(self, aws: EmbeddedAws, site: SampleSite) -> None:
        self.aws, self.site = aws, site
        self.watch = Watch(aws)
        aws.fire("DiscoverFunctionPoll", {"job": "poll", "force": True})
        assert aws.run_until_idle(60), aws.backlog()
        items = aws.client("dynamodb").scan(TableName=aws.resource("ArticlesTable"))["Items"]
        self.records = {record.id: record for record in map(record_from_item, items)}
        self.stored = [record for record in self.records.values() if record.status == "stored"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    sources = tmp_path_factory.mktemp("sources") / "sources.yaml"
    with SampleSite(stall=3) as site, Receiver() as receiver, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        text = site.sources_yaml({"town": "slack"}, delay=0.05, announce_first=100)
        sources.write_text(text.replace("kind: slack", "kind: slack\n  interval: 0\n  burst: 1000"), encoding="utf-8")
        with EmbeddedAws(parameters={**FAST, "Sources": str(sources)}, minute=0.3) as aws:
            aws.client("ssm").put_parameter(
                Name="/broadsheet/broadsheet/channels/town", Value=receiver.url("slack/town"), Type="SecureString"
            )
            yield World(aws, site)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def told(*words: str) -> Any:
    result = run(*words, "--json")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return json.loads(result.output)


def test_status_counts_and_names_what_went_wrong(world: World) -> None:
    assert world.watch.judge() == []
    found = told("status")
    assert found["well"] is True
    assert found["sources"] == {"listed": 4, "due": 0, "well": 4, "broken": 0, "silent": 0, "pushed": 0}
    assert found["queues"] == {"waiting": [0, 0, 0], "given up": [0, 0, 0], "failed runs": [0, 0, 0]}
    assert sum(found["articles"]) == len(world.stored)
    assert found["deliveries"] == {"town": 0}
    reasons = {(one["service"], one["status"], one["reason"]) for one in found["failures"]}
    assert ("parse", "unavailable", "http-404") in reasons
    assert ("parse", "unavailable", "robots-disallowed") in reasons


def test_every_archived_page_is_read_today_as_it_is_stored(world: World) -> None:
    found = told("reparse")
    by_page = [record for record in world.stored if record.origin == "page"]
    assert found["articles"] == {"same": len(by_page), "no-page": len(world.stored) - len(by_page)}
    assert found["fields"] == {}


def test_status_is_for_people_too(world: World) -> None:
    shown = run("status")
    assert shown.exit_code == 0
    for part in (
        "broadsheet: no alarm",
        "sources     4: 0 due, 4 well",
        "town: told of everything",
        "unavailable",
        "http-404",
    ):
        assert part in shown.output


def test_one_trace_leads_from_the_feeds_entry_to_the_post(world: World) -> None:
    for record in world.stored:
        log = told("article", record.id)["log"]
        by_service = {line["service"]: line for line in log if line.get("status") in ("found", "stored", "sent")}
        assert set(by_service) == {"discover", "parse", "notify"}, record.title
        assert by_service["parse"]["trace"] == by_service["notify"]["trace"] == record.trace
        assert record.trace in by_service["discover"]["traces"].values()


def test_every_line_about_one_article_has_its_trace(world: World) -> None:
    found = 0
    for group in (value for key, value in world.aws.stack.outputs.items() if key.endswith("LogGroupName")):
        for event in world.aws.client("logs").filter_log_events(logGroupName=group)["events"]:
            line = json.loads(event["message"])
            if "id" in line and "service" in line:
                found += 1
                assert line.get("trace"), line
    assert found >= 2 * len(world.stored)


def test_what_an_earlier_run_logged_is_told_with_its_own_time(world: World) -> None:
    ago = datetime.now(UTC) - timedelta(hours=1)
    line = {"service": "parse", "message": "long ago", "timestamp": f"{ago:%Y-%m-%d %H:%M:%S},250+0000"}
    world.watch.replay([json.dumps(line)])
    logs = world.aws.client("logs")
    events = logs.filter_log_events(logGroupName=world.aws.stack.outputs["ParseLogGroupName"])["events"]
    assert [one["timestamp"] for one in events if "long ago" in one["message"]] == [int(ago.timestamp()) * 1000 + 250]


def test_an_article_is_found_by_any_of_its_addresses_with_its_deliveries(world: World) -> None:
    alias = next(record for record in world.records.values() if record.status == "alias")
    history = told("article", alias.url)
    assert history["record"]["status"] == "stored"
    assert history["id"] == alias.target
    assert history["deliveries"]["town"]["status"] == "sent"
    assert [version["current"] for version in history["versions"]] == [True]
    shown = run("article", alias.url)
    assert shown.exit_code == 0
    assert "town         sent" in shown.output


def test_a_missing_article_is_told_with_its_reason_or_what_may_be_why(world: World) -> None:
    missing = next(record for record in world.records.values() if record.status == "unavailable")
    shown = run("article", missing.url)
    assert shown.exit_code == 1
    assert str(missing.reason) in shown.output
    unknown = run("article", f"{world.site.base('courier')}/never-listed")
    assert unknown.exit_code == 1
    assert "its site's source courier: well" in unknown.output
    assert "broadsheet enqueue" in unknown.output
    assert "no source of the sources file" in run("article", "https://nowhere.example/2026/a").output


def test_a_page_enqueued_by_hand_is_a_message_like_any_other(world: World) -> None:
    url = "https://elsewhere.example/2026/11/enqueued"
    assert "no source 'couriers'" in run("enqueue", url, "--source", "couriers").output
    made = told("enqueue", url, "--source", "courier", "--quiet")
    queue = world.aws.resource("ParseQueue")
    (message,) = world.aws.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    world.aws.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    sent = decode(message["Body"], message_id="")
    assert (sent.id, sent.trace, sent.url, sent.source, sent.announce) == (
        made["id"],
        made["trace"],
        url,
        "courier",
        False,
    )
    refused = run("enqueue", world.stored[0].url, "--source", "courier")
    assert refused.exit_code == 1
    assert "is stored already" in refused.output


def test_export_writes_every_article_as_it_is_stored(world: World, tmp_path: Path) -> None:
    assert told("export", str(tmp_path / "all.jsonl"))["written"] == len(world.stored)
    lines = (tmp_path / "all.jsonl").read_bytes().splitlines()
    s3, bucket = world.aws.client("s3"), world.aws.resource("Bucket")
    bodies = {s3.get_object(Bucket=bucket, Key=record.s3_key)["Body"].read() for record in world.stored}
    assert set(lines) == bodies
    one = told("export", str(tmp_path / "one.jsonl"), "--source", "courier")
    assert one["written"] == sum(record.source == "courier" for record in world.stored)
    assert told("export", str(tmp_path / "none.jsonl"), "--until", "2001-01-01")["written"] == 0
    assert told("export", str(tmp_path / "new.jsonl"), "--since", "2026-01-01")["written"] == len(world.stored)
    assert "exists" in run("export", str(tmp_path / "all.jsonl")).output


def test_an_export_that_was_interrupted_goes_on_and_ends_the_same(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("export", str(tmp_path / "whole.jsonl"))
    monkeypatch.setattr(export, "AT_ONCE", 4)
    real = export.bodies

    def dying(*given: Any) -> Iterator[tuple[str, bytes]]:
        for number, pair in enumerate(real(*given)):
            if number == 10:
                raise KeyboardInterrupt
            yield pair

    monkeypatch.setattr(export, "bodies", dying)
    target = str(tmp_path / "parts.jsonl")
    assert run("export", target).exit_code == 1
    assert run("export", target, "--source", "courier").exit_code == 1, "another choice isn't mixed into it"
    monkeypatch.setattr(export, "bodies", real)
    assert told("export", target)["written"] == len(world.stored) - 8
    assert (tmp_path / "parts.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.jsonl", "whole.jsonl"]


def test_seed_documents_hold_what_an_import_reads_back(world: World, tmp_path: Path) -> None:
    assert told("export", str(tmp_path / "seed"), "--seed")["written"] == len(world.stored)
    titles = {record.title for record in world.stored}
    for path in (tmp_path / "seed").iterdir():
        document = mirror.read(path.read_bytes(), name=path.name)
        assert mirror.to_article(document).title in titles
        assert document.timestamp.isoformat()[:16] == world.records[path.stem].first_seen[:16]


def test_every_article_is_valid_queried_and_read(world: World, browser: Browser, tmp_path: Path) -> None:
    """Those of the site, and seed documents: by programs, by analysts, and by people on a phone and at a desk."""
    for path in CORPUS.glob("*.txt"):
        assert "1 stored" in run("import", str(path), "--source", "courier").output
    published = world.aws.invoke("PublishFunction", {"job": "publish", "everything": True})
    assert published.error is None, published.trace
    s3, bucket = world.aws.client("s3"), world.aws.resource("Bucket")
    listed = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    objects = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in listed}

    articles = {key: json.loads(body) for key, body in objects.items() if key.startswith("articles/")}
    assert len(articles) == len(world.stored) + len(list(CORPUS.glob("*.txt")))
    validator = jsonschema.Draft202012Validator(contract.schema())
    assert [(key, error.message) for key, one in articles.items() for error in validator.iter_errors(one)] == []

    for key in listed:
        if key.endswith(".parquet"):
            (tmp_path / key).parent.mkdir(parents=True)
            (tmp_path / key).write_bytes(objects[key])
    rows = duckdb.execute(f"SELECT id, title, text FROM read_parquet('{tmp_path}/**/*.parquet')").fetchall()
    assert sorted(rows) == sorted((one["id"], one["title"], one["text"]) for one in articles.values())

    titles = {(one["source"], one["title"]) for one in articles.values()}
    for key in [key for key in listed if key.endswith(".html")]:
        source = key.split("/")[1]
        for width, scheme in itertools.product((320, 1280), ("light", "dark")):
            with browser.page(width, mobile=width == 320) as page:
                page.scheme(scheme)
                page.show(objects[key].decode())
                shown, wide, needed, scripts = page.evaluate(
                    "[document.body.innerText, document.documentElement.clientWidth, "
                    "document.documentElement.scrollWidth, document.scripts.length]"
                )
                assert (needed, scripts, page.errors) == (wide, 0, []), key
                missing = [title for id, title in titles if id == source and title not in shown]
                assert missing == [], key
