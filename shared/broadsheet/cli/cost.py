"""`broadsheet cost`: what a month will cost, from counted calls, measured seconds and list prices."""

import math
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import click
import msgspec
import yaml

from broadsheet.cli.answers import json_option, show_json

HERE = Path(__file__).parent
MONTH = 30.4  # days
FULL_CORE = 1769  # MB of memory with which Lambda gives a whole vCPU; less gives its share of one
POLLS_A_DAY = 74.4  # of a source that learns its rhythm: tests/benchmarks/polling
ENTRIES_LATELY = 20  # of a source: so many its state remembers before their window is written (polls.LATELY)
POST_SECONDS = 0.2  # a chat service's answer
PAGE_BYTES = 12_000  # a page of 45 KB, packed
COLDER = 400_000  # bytes of an object of the raw archive, above which it moves to colder storage (template.yaml)
POLLERS = 5  # of SQS, by which Lambda looks for messages all month long, 20 seconds at a time
TEXT_BYTES, TEXTS_KEPT = 58, 3  # of a text that reprints are found by, days: originals.ROW and WINDOW
WORKERS = 5 * 12 * MONTH  # a month's, each of which reads those days when it begins: five at a time, for two hours
PUBLISHED_A_DAY = 96  # the default of PublishSchedule
SOURCE_FILES, OTHER_FILES = 4, 5  # page, Atom, JSON Feed, Markdown; two pages, an edition's two files, the manifest
SOURCE_READS = 54  # a hundred records, half a unit each, and the index's 30 KB that name them
METRICS, ALARMS = 30, 10
GB = 1e9

Kind = Literal["article", "post", "published", "fixed", "kept"]


class Figures(msgspec.Struct, frozen=True):
    """What tests/benchmarks/cost measured: `units` billed per poll, article and post, on the day `measured`; `seconds`
    (wall and CPU) of runs, on the day `timed`.

    `poll` is one that found nothing, `found` what it costs more to find an article.
    """

    measured: str
    timed: str
    units: dict[str, dict[str, float]]
    seconds: dict[str, dict[str, float]]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be priced: `articles` a month from `sources`, each told to `channels`; a parse run takes `batch`."""

    articles: float = 1e6
    sources: int = 1000
    channels: float = 0
    memory: int = 1024
    batch: float = 20
    raw: bool = False
    events: bool = False
    reprints: bool = True


class Line(msgspec.Struct, frozen=True):
    """A line of the bill, dollars a month. `kept` ones come again every month for what one month brought."""

    kind: Kind
    what: str
    much: str
    dollars: float


@cache
def figures() -> Figures:
    """The committed measurements."""
    return msgspec.json.decode((HERE / "figures.json").read_bytes(), type=Figures)


@cache
def prices() -> dict[str, Any]:
    """The committed price list."""
    read: dict[str, Any] = yaml.safe_load((HERE / "prices.yaml").read_text(encoding="utf-8"))
    return read


def run_seconds(batch: float, memory: int) -> float:
    """Seconds a parse run of so many articles, each of another host, is billed; memory in MB is CPU, too."""
    measured = figures().seconds
    points = sorted((int(name.removeprefix("parse-")), took) for name, took in measured.items() if "parse-" in name)
    (low, a), (high, b) = next((pair for pair in pairwise(points) if batch <= pair[1][0]), (points[-2], points[-1]))
    share = (batch - low) / (high - low)
    wall, cpu = (a[what] + share * (b[what] - a[what]) for what in ("seconds", "cpu"))
    return max(0.0, wall - cpu) + cpu * max(1.0, FULL_CORE / memory)


def bill(plan: Plan) -> list[Line]:
    """The lines of a month's bill."""
    lines = (*_articles(plan), *_posts(plan), *_published(plan), *_always(plan), *_kept(plan))
    return [line for line in lines if line.dollars >= 0.00005 or line.kind == "fixed"]


def _polls(plan: Plan) -> float:
    return POLLS_A_DAY * MONTH * plan.sources


def _articles(plan: Plan) -> Iterator[Line]:
    price, n, polls = prices(), plan.articles, _polls(plan)
    chance = n / polls if polls else 0.0  # articles come as they like: Poisson
    finding, several = polls * (1 - math.exp(-chance)), polls * (1 - math.exp(-chance) * (1 + chance))
    article, extra = figures().units["article"], figures().units["found"]
    yield Line("article", "S3, the article's object", f"{article['s3_puts']:g} PUT", n * price["s3_put"])
    # A host's turn is given back by a poll that finds several articles, and by each that has another behind it.
    given_back = (several + n - finding) / n if polls else 0.0
    writes = article["articles_writes"] + article["state_writes"] + given_back
    yield Line("article", "DynamoDB, record and turn", f"{writes:.2f} writes", n * writes * price["dynamodb_write"])
    index = article["articles_index_writes"] - 1  # the outbox is for what channels hear of
    yield Line("article", "DynamoDB, indexes", f"{index:g} writes", n * index * price["dynamodb_write"])
    yield Line(
        "article",
        "DynamoDB, what is known",
        f"{article['reads']:g} reads",
        n * article["reads"] * price["dynamodb_read"],
    )
    if plan.reprints:
        writes = n / plan.batch * math.ceil(plan.batch * TEXT_BYTES / 1024 + 0.1)  # an item a run, and its key
        known = n / MONTH * TEXTS_KEPT * TEXT_BYTES
        reads = n / plan.batch + WORKERS * known / 4096 / 2  # what is new, two looks a run, and all there is
        much = f"{writes / n:.2f} writes, {reads / n:.2f} reads"
        yield Line(
            "article", "DynamoDB, reprints", much, writes * price["dynamodb_write"] + reads * price["dynamodb_read"]
        )
    window = finding * (
        extra.get("state_writes", 0) * price["dynamodb_write"] + extra.get("reads", 0) * price["dynamodb_read"]
    )
    window += n / ENTRIES_LATELY * price["dynamodb_write"]
    yield Line("article", "DynamoDB, entries shown", f"{finding / n:.2f} polls find one", window)
    requests = finding * extra["sqs_requests"] + 0.2 * n  # received and deleted by tens
    yield Line("article", "SQS", f"{requests / n:.2f} requests", requests * price["sqs_request"])
    took = run_seconds(plan.batch, plan.memory)
    gb_seconds = took * plan.memory / 1024 / plan.batch
    computing = gb_seconds * price["lambda_gb_second"] + price["lambda_invocation"] / plan.batch
    yield Line("article", "Lambda, parse", f"{gb_seconds * 1000:.0f} ms·GB", n * computing)
    reading = (figures().seconds["found"]["cpu"] - figures().seconds["poll"]["cpu"]) / 50 * FULL_CORE / 1024
    yield Line(
        "article", "Lambda, discover", f"{reading * 1000:.0f} ms·GB", finding * reading * price["lambda_gb_second"]
    )
    logs = article["log_bytes"] + extra.get("log_bytes", 0) * finding / n
    yield Line("article", "logs", f"{logs:.0f} bytes", n * logs / GB * price["logs_gb"])
    if plan.raw:
        yield Line("article", "raw archive", f"1/{plan.batch:g} PUT", n / plan.batch * price["s3_put"])
        moved = n / plan.batch if plan.batch * PAGE_BYTES > COLDER else 0.0
        yield Line("article", "raw archive, to colder storage", "1 move an object", moved * price["s3_move"])
    if plan.events:
        yield Line("article", "an event per object", "1", n * price["eventbridge_event"])


def _posts(plan: Plan) -> Iterator[Line]:
    price, told, post = prices(), plan.articles * plan.channels, figures().units["post"]
    writes = post["state_writes"] + post["state_index_writes"]
    yield Line(
        "post",
        "DynamoDB, outbox and deliveries",
        f"{writes + 1:g} writes",
        told * (writes + 1) * price["dynamodb_write"],
    )
    seconds = POST_SECONDS + figures().seconds["post"]["cpu"] / 20 * FULL_CORE / 512
    yield Line("post", "Lambda, notify", f"{seconds * 500:.0f} ms·GB", told * seconds / 2 * price["lambda_gb_second"])
    yield Line("post", "logs", f"{post['log_bytes']:.0f} bytes", told * post["log_bytes"] / GB * price["logs_gb"])


def _published(plan: Plan) -> Iterator[Line]:
    """Reckoned from what publish does, not counted, and without its computing."""
    price, n, runs = prices(), plan.articles, MONTH * PUBLISHED_A_DAY
    turns = plan.sources * runs
    with_news = turns * (1 - math.exp(-n / turns)) if turns else 0.0
    puts = with_news * SOURCE_FILES + min(runs, with_news) * OTHER_FILES
    yield Line("published", "S3, pages, feeds and editions", f"{puts:,.0f} PUT", puts * price["s3_put"])
    reads = with_news * SOURCE_READS
    yield Line("published", "DynamoDB, their records", f"{reads:,.0f} reads", reads * price["dynamodb_read"])
    yield Line("published", "S3, articles for editions", f"{n:,.0f} GET", n * price["s3_get"])


def _always(plan: Plan) -> Iterator[Line]:
    price, polls, poll = prices(), _polls(plan), figures().units["poll"]
    fixed = poll["state_writes"] * price["dynamodb_write"] + poll["reads"] * price["dynamodb_read"]
    yield Line("fixed", "DynamoDB, polls", f"{polls:,.0f} polls", polls * fixed)
    yield Line(
        "fixed",
        "logs of polls",
        f"{poll['log_bytes']:.0f} bytes each",
        polls * poll["log_bytes"] / GB * price["logs_gb"],
    )
    runs = MONTH * 288
    waits = figures().seconds["poll"]
    discover = runs * 0.1 + polls * (waits["seconds"] - waits["cpu"] + waits["cpu"] * FULL_CORE / 512) / 50
    notify = MONTH * 1440 * 0.1  # nothing is due, mostly
    computing = (discover + notify) / 2 * price["lambda_gb_second"] + MONTH * 1752 * price["lambda_invocation"]
    yield Line("fixed", "Lambda, polls and schedules", f"{(discover + notify) / 2:,.0f} GB·s", computing)
    schedules = MONTH * 1752
    yield Line("fixed", "Scheduler", f"{schedules:,.0f} starts", schedules * price["schedule_invocation"])
    empty = POLLERS * MONTH * 86400 / 20
    yield Line("fixed", "SQS, looking for messages", f"{empty:,.0f} requests", empty * price["sqs_request"])
    yield Line("fixed", "CloudWatch metrics", f"{METRICS}, 10 of them free", (METRICS - 10) * price["metric_month"])
    yield Line("fixed", "alarms, dashboard", f"{ALARMS} and 1, free by themselves", 0.0)


def _kept(plan: Plan) -> Iterator[Line]:
    price, n, article = prices(), plan.articles, figures().units["article"]
    if plan.raw:
        rate = price["s3_colder_gb_month" if plan.batch * PAGE_BYTES > COLDER else "s3_gb_month"]
        yield Line("kept", "raw pages", f"{PAGE_BYTES / 1000:g} KB", n * PAGE_BYTES / GB * rate)
    yield Line(
        "kept",
        "articles in S3",
        f"{article['object_bytes'] / 1000:.0f} KB",
        n * article["object_bytes"] / GB * price["s3_gb_month"],
    )
    size = article["articles_bytes"] * (1 + 0.5)  # and about half as much again in the index
    rate = price["dynamodb_gb_month"] + price["dynamodb_backup_gb_month"]
    yield Line("kept", "records", f"{size / 1000:.1f} KB", n * size / GB * rate)


def total(lines: list[Line], *kinds: Kind) -> float:
    """Dollars a month of some kinds of lines."""
    return sum(line.dollars for line in lines if line.kind in kinds)


HEADS: dict[Kind, str] = {
    "article": "per article stored",
    "post": "per post in a channel",
    "published": "for pages, feeds and editions, reckoned",
    "fixed": "every month, whatever comes",
    "kept": "and for keeping a month's articles, each month",
}


@click.command("cost")
@click.option("--articles", default=1e6, show_default=True, help="New articles a month.")
@click.option("--sources", default=1000, show_default=True, help="Sources polled.")
@click.option("--channels", default=0.0, show_default=True, help="Channels that hear of an article, on average.")
@click.option("--memory", default=1024, show_default=True, help="Of parse, in MB.")
@click.option("--batch", default=20.0, show_default=True, help="Articles a parse run has on average; 50 at most.")
@click.option("--raw", is_flag=True, help="With a raw archive of all pages.")
@click.option("--events", is_flag=True, help="With an event for every object (parameter BucketEvents).")
@click.option("--reprints/--no-reprints", default=True, help="With links from reprints to originals.  [default: with]")
@json_option
def cost_(*, as_json: bool, **given: Any) -> None:
    """Say what a month will cost, before it does.

    From calls and bytes counted and seconds measured (figures.json), and list prices (prices.yaml) without free tiers.
    """
    plan = Plan(**given)
    lines = bill(plan)
    if as_json:
        million = total(lines, "article") / plan.articles * 1e6
        told = {"plan": plan, "lines": lines, "dollars_per_million_articles": round(million, 2)}
        dollars = {"dollars_a_month": round(total(lines, "article", "post", "published", "fixed", "kept"), 2)}
        show_json({**told, **dollars, "prices_as_of": str(prices()["as_of"]), "measured": figures().measured})
        return
    for kind, head in HEADS.items():
        part = [line for line in lines if line.kind == kind]
        if not total(part, kind):
            continue
        click.secho(f"\n{head}", bold=True)
        for line in part:
            click.echo(f"  {line.what:<34}{line.much:>28}{line.dollars:>11,.2f}")
        click.echo(f"  {'':<62}{total(part, kind):>11,.2f}")
    everything = total(lines, "article", "post", "published", "fixed", "kept")
    click.secho(f"\n${everything:,.2f} a month", bold=True, nl=False)
    click.echo(f"; ${total(lines, 'article') / plan.articles * 1e6:,.2f} per million articles stored")
    click.echo(
        f"Calls counted {figures().measured}, runs timed {figures().timed}; prices of {prices()['as_of']}, from "
        "secondary sources: look them up."
    )
