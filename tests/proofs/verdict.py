"""What must hold when the dust has settled, and what a run is found guilty of."""

import io
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec
from warcio.archiveiterator import ArchiveIterator

from broadsheet.phrasings import MOST_ASKED
from broadsheet.store import RawPage, StoredArticle
from tests.proofs import published
from tests.proofs.backstage import Backstage
from tests.proofs.internet import ASKED_FOR, Internet, Post, Visit
from tests.proofs.scenes import Scene

BY_PLAN = frozenset(("timeout", "connection", "http-429"))  # why fetches fail that a plan lets fail
AGREED = ("id", "title", "content_hash", "reprint_of", "revision")  # between a record and its object


class Verdict(msgspec.Struct, kw_only=True):
    """`repeats` are posts that came again flagged, under the same id; all other lists must be empty."""

    lost: list[str] = []
    unannounced: list[str] = []
    stored_twice: list[str] = []
    announced_twice: list[str] = []
    broken: list[str] = []
    repeats: list[str] = []
    parked: list[str] = []
    failures: list[str] = []

    @property
    def guilty(self) -> list[str]:
        """Everything that must not be, each with what it is."""
        named = ("lost", "unannounced", "stored_twice", "announced_twice", "broken")
        return [f"{name}: {what}" for name in named for what in getattr(self, name)]


def judge(
    scene: Scene, backstage: Backstage, internet: Internet, *, deaths: bool, written: bool = True, faults: int = 0
) -> Verdict:
    """Look at everything that was stored, announced and asked for. `deaths`: a process was killed on the way.

    `written`: whatever notify learnt of a channel it could also record. `faults`: how many there were.
    """
    verdict = Verdict()
    _articles(scene, backstage, verdict)
    _announcements(scene, [post for post in internet.posts if not post.is_update], verdict)
    _updates(scene, backstage, internet.posts, verdict)
    _model(scene, backstage, internet, faults, verdict)
    if not faults:
        _promptness(scene, internet.posts, verdict)
    if written:
        _patience(internet.refused, internet.posts, verdict)
    _retries(scene, internet.visits, faults, verdict)
    _politeness(scene, internet.visits, verdict, deaths=deaths)
    for queue in ("ParseQueue", "PollsQueue", "DeadLetterQueue", "FailuresQueue"):
        for message in backstage.waiting(queue):
            if queue in ("ParseQueue", "PollsQueue"):
                verdict.broken.append(f"a message remains: {message.body[:100]}")
            elif queue == "DeadLetterQueue":
                reason = message.message_attributes.get("reason", {}).get("StringValue", "crashed")
                verdict.parked.append(reason)
            else:
                verdict.failures.append(message.body[:200])
    # a page's last try may have failed for the plan's sake
    reasons = set(verdict.parked) - (BY_PLAN if faults and scene.parked else set())
    few_enough = min(1, len(scene.parked)) <= len(verdict.parked) <= len(scene.parked) * _chains(faults)
    if not reasons <= set(scene.parked) or not few_enough:
        verdict.broken.append(f"parked: {verdict.parked}")
    for item in backstage.items("StateTable"):
        if item["sk"].startswith("delivery#") and item["status"] != "sent" and not _is_told_otherwise(item):
            verdict.broken.append(f"a delivery remains: {item}")
    return verdict


def _articles(scene: Scene, backstage: Backstage, verdict: Verdict) -> None:
    records = list(backstage.items("ArticlesTable"))
    stored = [record for record in records if record["status"] == "stored"]
    titles = Counter(record["title"] for record in stored)
    gone, revised = scene.that("forget"), scene.that("revise")
    verdict.lost += [title for title in scene.articles if not titles[title] and title not in gone]
    verdict.stored_twice += [title for title, times in titles.items() if times > 1]
    verdict.broken += [f"an article nobody published: {title}" for title in titles if title not in scene.articles]
    unavailable = [record for record in records if record["status"] == "unavailable"]
    if len(unavailable) != scene.unavailable or not all(record.get("reason") for record in unavailable):
        verdict.broken.append(f"{len(unavailable)} recorded as unavailable: {unavailable}")
    ids = {record["id"] for record in stored}
    originals = {record["id"] for record in stored if not record.get("reprint_of")}
    verdict.broken += [f"alias of nothing: {r}" for r in records if r["status"] == "alias" and r["target"] not in ids]

    versions = {key: bodies for key, bodies in backstage.versions().items() if key.startswith("articles/")}
    keys = {record["s3_key"]: record["revision"] for record in stored}
    verdict.broken += [f"object without record: {key}" for key in versions if key not in keys]
    verdict.stored_twice += [f"object {key}" for key, times in keys.items() if len(versions.get(key, [])) > times]
    for record in stored:
        if record["s3_key"] not in versions:
            verdict.lost.append(f"object {record['s3_key']}")
            continue
        article = json_of(versions[record["s3_key"]][-1])
        if any(getattr(article, name) != record.get(name) for name in AGREED):
            verdict.broken.append(f"record and object disagree: {record['s3_key']}")
        if article.raw and article.url not in _archived(backstage, article.raw):
            verdict.lost.append(f"the page of {record['s3_key']}")
        if article.reprint_of and article.reprint_of not in originals:
            verdict.broken.append(f"a reprint of no original: {record['s3_key']}")
    _revisions(stored, revised, scene.revised, backstage, verdict)
    _forgotten(records, gone, backstage, verdict)
    if scene.published:
        verdict.broken += published.faults_of(backstage, stored, gone)

    commits: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for image in backstage.images("ArticlesTable"):
        if image.get("status") == "stored" and image["revision"] == 1:
            commits[image["title"]].add((image["trace"], image["content_hash"]))
    verdict.stored_twice += [f"{title}, by {who}" for title, who in commits.items() if len(who) > 1]


def _revisions(
    stored: list[dict[str, Any]],
    revised: frozenset[str],
    changing: frozenset[str],
    backstage: Backstage,
    verdict: Verdict,
) -> None:
    """Who was revised by somebody is so once; and whoever was, is readable as it was before."""
    objects = backstage.versions()
    older: set[str] = set()
    for record in stored:
        history = [json_of(body) for body in objects.get(record["s3_key"], [])]
        # a page that changes whenever it is read is revised as often as that
        if (record["revision"] > 1) != (record["title"] in revised or record["title"] in changing):
            verdict.broken.append(f"revision {record['revision']} of {record['title']}")
        if record["title"] in revised and record["revision"] > 2:
            verdict.broken.append(f"revision {record['revision']} of {record['title']}")
        for revision in history[-1].revisions if history else ():
            older.add(revision.s3_key)
            body = objects.get(revision.s3_key)
            if body is None or json_of(body[-1]) != history[revision.number - 1]:
                verdict.lost.append(f"revision {revision.number} of {record['title']}")
    verdict.broken += [f"revision of nothing: {k}" for k in objects if k.startswith("revisions/") and k not in older]


def _is_told_otherwise(delivery: Mapping[str, Any]) -> bool:
    """Whether it is of an update whose words the channel has heard already, as those of the article itself."""
    return bool(delivery.get("revision", 1) > 1 and delivery["status"] == "filtered")


def _forgotten(records: list[dict[str, Any]], gone: frozenset[str], backstage: Backstage, verdict: Verdict) -> None:
    """Of what was forgotten there is nothing but its id."""
    left = {record["id"]: record for record in records if record["status"] == "forgotten"}
    if len(left) != len(gone) or any(record.get("reason") for record in left.values()):
        verdict.broken.append(f"forgotten: {left}")
    ever = [(key, body) for key, body in backstage.ever() if not key.startswith(("editions/", "pages/"))]
    verdict.broken += [f"still there: {key}" for key, body in ever if any(title.encode() in body for title in gone)]
    items = [item for item in backstage.items("StateTable") if any(id in str(item) for id in left)]
    verdict.broken += [f"still there: {item}" for item in items]
    verdict.broken += [f"came back: {r['title']}" for r in records if r.get("title") in gone]


def json_of(body: bytes) -> StoredArticle:
    """The document of an object."""
    return msgspec.json.decode(body, type=StoredArticle)


def _archived(backstage: Backstage, raw: RawPage) -> set[str]:
    """The addresses whose pages lie there; an object holds whole ones, whichever run put it."""
    body = b"".join(backstage.versions().get(raw.key, []))[raw.offset : raw.offset + raw.length]
    return {one.rec_headers.get_header("WARC-Target-URI") for one in ArchiveIterator(io.BytesIO(body))}


def _announcements(scene: Scene, posts: list[Post], verdict: Verdict) -> None:
    heard: defaultdict[tuple[str, str], list[Post]] = defaultdict(list)
    by_url = {
        page.canonical or page.url: page.title for page in (*scene.pages.values(), *scene.later.values()) if page.title
    }
    for post in posts:
        heard[(post.channel, by_url.get(post.url, post.url))].append(post)
    for channel, (most, until) in scene.capped.items():
        if (heard_early := sum(post.channel == channel and post.at < until for post in posts)) > most:
            verdict.broken.append(f"{channel} heard {heard_early} times before its day was over")
    verdict.broken += [
        f"{post.channel} woken {instant - post.at:.0f} s early"
        for post in posts
        if post.at < (instant := scene.quiet.get(post.channel, 0.0))
    ]
    for title, channels in scene.articles.items():
        if title not in scene.that("forget"):  # who may be forgotten before the sweep comes
            verdict.unannounced += [f"{title} to {channel}" for channel in channels if not heard[(channel, title)]]
    for (channel, title), told in heard.items():
        if channel not in scene.articles.get(title, frozenset()) and told:
            verdict.broken.append(f"{channel} never asked for {title}")
        for again in told[1:]:
            flagged = again.possible_repeat and again.delivery_id == told[0].delivery_id
            (verdict.repeats if flagged else verdict.announced_twice).append(f"{title} to {channel}")


def _updates(scene: Scene, backstage: Backstage, posts: list[Post], verdict: Verdict) -> None:
    """A revision is told once to whom asked for updates, and had heard of the article before; else to nobody."""
    revised = {r["url"]: r for r in backstage.items("ArticlesTable", status="stored") if r["revision"] > 1}
    heard: defaultdict[tuple[str, str], list[Post]] = defaultdict(list)
    for post in posts:
        heard[(post.channel, post.url)].append(post)
    for (channel, url), told in heard.items():
        updates = [post for post in told if post.is_update]
        if updates and (channel not in scene.updates or url not in revised):
            verdict.broken.append(f"{channel} never asked for an update of {url}")
        for again in updates[1:]:
            flagged = again.possible_repeat and again.delivery_id == updates[0].delivery_id
            (verdict.repeats if flagged else verdict.announced_twice).append(f"an update of {url} to {channel}")
        if channel not in scene.updates or url not in revised or updates:
            continue
        first = [post for post in told if not post.is_update]
        if len(first) == 1 and first[0].at < datetime.fromisoformat(revised[url]["changed_at"]).timestamp() - 1:
            verdict.unannounced.append(f"an update of {url} to {channel}")


def _model(scene: Scene, backstage: Backstage, internet: Internet, faults: int, verdict: Verdict) -> None:
    """A question is asked twice at most, all that was asked is counted, and who wants a model's words gets them."""
    model = internet.model
    verdict.broken += [f"asked {n} times for words: {title}" for title, n in model.asked.items() if n > MOST_ASKED]
    counted = sum(item["tokens"] for item in backstage.items("StateTable", pk="model"))
    if counted < model.spent:
        verdict.broken.append(f"{model.spent} tokens were spent, and {counted} counted")
    for post in internet.posts:
        is_worded = post.summary in model.summaries
        if is_worded != (post.channel in scene.worded) and (is_worded or not faults):
            verdict.broken.append(f"{post.channel} was told in {'a model' if is_worded else 'the page'}'s words")


def _promptness(scene: Scene, posts: list[Post], verdict: Verdict) -> None:
    by_url = {page.url: page.title for page in (*scene.pages.values(), *scene.later.values())}
    told = {by_url.get(post.url, post.url): post.at for post in reversed(posts)}
    verdict.broken += [
        f"told {told[title] - instant:.0f} s late: {title}"
        for title, instant in scene.told_by.items()
        if told.get(title, 0.0) > instant
    ]


def _patience(pauses: list[Post], posts: list[Post], verdict: Verdict) -> None:
    """A channel that asked for time gets it, once that is written down with the delivery; until then a lease holds."""
    for pause in pauses:
        for post in posts:
            again = (post.channel, post.delivery_id) == (pause.channel, pause.delivery_id)
            if again and pause.at < post.at < pause.at + ASKED_FOR:
                verdict.broken.append(f"{post.channel} asked for {ASKED_FOR} s and got {post.at - pause.at:.3f}")


def _chains(faults: int) -> int:
    """Of how many messages one may have become, for what is sent before it is acknowledged may come twice."""
    return int(2**faults)


def _retries(scene: Scene, visits: list[Visit], faults: int, verdict: Verdict) -> None:
    """A page that fails is asked for again after a minute, then after twice as long each time, and so often at most."""
    for page in scene.pages.values():
        starts = [visit.start for visit in visits if visit.url == page.url and page.status == 500]
        if len(starts) > scene.attempts * _chains(faults):
            verdict.broken.append(f"asked for {len(starts)} times: {page.url}")
        for i, (before, after) in enumerate(pairwise(starts)):
            if not faults and after - before < 60.0 * 2**i:
                verdict.broken.append(f"asked again after {after - before:.0f} s: {page.url}")


def _politeness(scene: Scene, visits: list[Visit], verdict: Verdict, *, deaths: bool) -> None:
    """A worker that died took with it what a host had asked for; its lease alone protects the host then."""
    by_host: defaultdict[str, list[Visit]] = defaultdict(list)
    for visit in sorted(visits, key=lambda visit: visit.start):
        by_host[visit.host].append(visit)
    verdict.broken += [f"asked out of turn: {visit.url}" for visit in visits if not visit.in_turn]
    verdict.broken += [f"asked what robots.txt forbids: {v.url}" for v in visits if v.url in scene.forbidden]
    for host, asked in by_host.items():
        for before, after in pairwise(asked):
            apart = after.start - before.start
            if after.start < before.end:
                verdict.broken.append(f"two requests at once on {host}: {before.url} and {after.url}")
            elif apart < scene.delay - 1e-6:
                verdict.broken.append(f"{apart:.3f} s between {before.url} and {after.url}")
            if before.paused and apart < before.paused and not deaths:
                verdict.broken.append(f"{host} asked for {before.paused} s and got {apart:.3f}")
        pages = [visit for visit in asked if visit.by == "parse" and not visit.url.endswith("/robots.txt")]
        for before, after in pairwise(pages):
            if after.start - before.start < scene.crawl_delays.get(host, 0.0) - 1e-6:
                verdict.broken.append(f"no crawl delay between {before.url} and {after.url}")
