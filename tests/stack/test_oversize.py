"""Whatever is too much of something ends stored, cut or parked with its reason; nothing raises, nothing is stuck."""

import json
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from broadsheet.queue import FeedEntry, pack
from broadsheet.store import MAX_SOURCES, Articles, Record
from tests.stack.cloud import Cloud, before
from tests.stack.test_parse_faults import NOW, Scripted, message, page, parse, parser_of, statuses

MUCH = 10_000


def records(cloud: Cloud) -> list[Record]:
    articles = Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket)
    return [record for item in cloud.items(cloud.articles_table) if (record := articles.record(item["id"]["S"]))]


def much_of_everything(url: str) -> bytes | Exception:
    if url.endswith("/robots.txt"):
        return page(url)
    title = "渡轮" * 20_000
    links = "".join(f'<p>On day {n} <a href="/{n}">the ferry {n}</a> sailed as it should.</p>' for n in range(MUCH))
    images = "".join(f'<figure><img src="https://news.example/{"i" * 100}/{n}.jpg"></figure>' for n in range(MUCH))
    names = {
        "@type": "NewsArticle",
        "headline": title,
        "keywords": [f"tag {n} {'t' * 30}" for n in range(MUCH)],
        "author": [{"@type": "Person", "name": f"Author {n} {'y' * 30}"} for n in range(MUCH)],
        "image": [f"https://news.example/{n}.jpg" for n in range(MUCH)],
    }
    return (
        f'<html lang="zh"><head><title>{title}</title><script type="application/ld+json">{json.dumps(names)}</script>'
        f"</head><body><article><h1>{title}</h1>{links}{images}</article></body></html>"
    ).encode()


def test_a_page_with_too_much_of_everything_is_stored_and_its_record_within_bounds(cloud: Cloud) -> None:
    outcomes = parse(cloud, Scripted(much_of_everything), [message(0)])
    assert statuses(outcomes) == ["stored"], outcomes
    (record,) = records(cloud)
    assert len(record.title) <= 1000
    assert len(json.dumps(cloud.items(cloud.articles_table))) < 200_000


def test_a_feeds_whole_text_in_chinese_goes_through_the_queue_and_is_stored(cloud: Cloud) -> None:
    text = "".join(f"<p>渡轮第{n}次返回港口，码头上没有人留下，灯塔照常亮着。</p>" for n in range(12_000))
    entry = FeedEntry(title="渡轮" * 2000, summary="灯" * 5000, html=pack(text))
    outcomes = parse(cloud, Scripted(page), [message(0, entry=entry)], fetch="feed")
    assert statuses(outcomes) == ["stored"]
    (record,) = records(cloud)
    articles = Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket)
    assert len(articles.read(record.s3_key or "").text) > 200_000


def test_an_article_that_thousands_of_sources_share_notes_as_many_as_its_record_holds(cloud: Cloud) -> None:
    assert statuses(parse(cloud, Scripted(page), [message(0)])) == ["stored"]
    articles = Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket)
    (record,) = records(cloud)
    # one update a source takes moto minutes; an item grows no further once it is over 400 KB
    many = {"SS": [f"{n:05d}-{'s' * 57}" for n in range(MAX_SOURCES)]}
    cloud.dynamodb.update_item(
        TableName=cloud.articles_table,
        Key={"id": {"S": record.id}},
        UpdateExpression="ADD sources :many, silent :many",
        ExpressionAttributeValues={":many": many},
    )
    more = [message(0, source=f"late-{n}") for n in range(5)]
    assert statuses(parse(cloud, Scripted(page), more)) == ["known"] * 5
    known = articles.record(record.id)
    assert known is not None
    assert len(known.sources) == MAX_SOURCES + 1
    assert len(json.dumps(cloud.items(cloud.articles_table))) < 400_000


def test_ten_thousand_characters_of_title_and_url_make_no_message_too_long(cloud: Cloud) -> None:
    entry = FeedEntry(title="标" * 2000, summary="摘" * 5000, tags=("标" * 5000,) * 50, authors=("人" * 5000,) * 50)
    busy = message(0, entry=entry, not_before=NOW + 100, first_seen=datetime(2026, 3, 4, tzinfo=UTC))
    assert statuses(parse(cloud, Scripted(page), [busy])) == ["postponed"]
    delayed = "ApproximateNumberOfMessagesDelayed"
    found = cloud.sqs.get_queue_attributes(QueueUrl=cloud.queue_url, AttributeNames=["All"])["Attributes"]
    assert found[delayed] == "1"  # type: ignore[index]  # a literal to the stubs


def test_a_poison_message_of_a_whole_mebibyte_is_left_to_the_redrive(cloud: Cloud) -> None:
    """Its reason has no room beside it, which moto doesn't mind; SQS itself parks it after five times."""

    def refuse(_: object) -> None:
        raise ClientError({"Error": {"Code": "InvalidParameterValue", "Message": "too long"}}, "SendMessage")

    with before(cloud.sqs, "SendMessage", refuse):
        outcomes = parser_of(cloud, Scripted(page)).run([("m0", "x" * (1 << 20))])
    assert [one.status for one in outcomes] == ["unfinished"]
