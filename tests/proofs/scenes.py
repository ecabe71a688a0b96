"""The small worlds that are broken: who publishes what, who is subscribed to whom, and what must come of it."""

import msgspec

from broadsheet.parse import MAX_ATTEMPTS
from broadsheet.shares import SHARE
from tests.proofs.clock import START
from tests.proofs.internet import LATER, Page, feed, prose
from tests.proofs.partners import links

HARBOUR, MILL = "https://harbour.example", "https://mill.example"
ONE_CHANNEL = """
    channels:
      - {id: town, kind: webhook, interval: 0}
    sources:
      - {id: harbour, name: Harbour, url: "https://harbour.example/feed", channels: [town],
         delay: 1, interval: 100, announce_first: 100}
"""
SWANS = Page(url=f"{HARBOUR}/swans", title="Two swans close the harbour gate")
FERRY = Page(url=f"{HARBOUR}/ferry", title="Night ferry gets a library shelf")


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """`articles` maps the title of every article that must end stored to the channels that must hear of it once.

    `unavailable` is how many addresses end recorded as lost, with their reason; `parked` the reasons of messages given
    up. `delay` is the least between two requests to a host, `crawl_delays` what hosts' robots.txt demand besides, all
    in seconds. `documents` are imported before the first poll; `tired` channels refuse their first post; `quiet` says
    before which instant a channel may not be posted to, `capped` how often at most before which. `forbidden` are what
    robots.txt files forbid. `archive`: pages are kept as they were fetched; `revised` are the titles of those that must
    have changed in the end. `acts` are what somebody does then, in
    order: seconds after the start, `revise` or `forget`, and the article's title; `updates` are the channels that hear
    of revisions. Of `published` scenes there must be editions and pages. `told_by`: the instant before which an article
    must be told of where nothing goes wrong, by its title. `pushed`: there is a callback for hubs. `worded` channels
    hear a model's summaries.
    """

    name: str
    sources: str
    share: int = SHARE  # sources that one run asks
    attempts: int = MAX_ATTEMPTS  # at a page
    pages: dict[str, Page]
    later: dict[str, Page] = {}
    articles: dict[str, frozenset[str]]
    unavailable: int = 0
    parked: tuple[str, ...] = ()
    delay: float = 1.0
    crawl_delays: dict[str, float] = {}
    documents: tuple[str, ...] = ()
    tired: frozenset[str] = frozenset()
    quiet: dict[str, float] = {}
    capped: dict[str, tuple[int, float]] = {}
    forbidden: frozenset[str] = frozenset()
    archive: bool = False
    revised: frozenset[str] = frozenset()
    acts: tuple[tuple[float, str, str], ...] = ()
    updates: frozenset[str] = frozenset()
    published: bool = False
    told_by: dict[str, float] = {}
    pushed: bool = False
    worded: frozenset[str] = frozenset()

    def that(self, act: str) -> frozenset[str]:
        """The titles of what somebody does this to."""
        return frozenset(title for _, done, title in self.acts if done == act)


def _pages(*pages: Page) -> dict[str, Page]:
    return {page.url: page for page in pages}


def _plain() -> Scene:
    ferry = msgspec.structs.replace(FERRY, changing=True)
    wheel = Page(url=f"{MILL}/wheel", title="The mill wheel turns backwards again")
    flour = Page(url=f"{MILL}/flour", title="Flour for the whole valley until spring")
    return Scene(
        name="plain",
        sources="""
            channels:
              - {id: town, kind: webhook, interval: 0}
              - {id: desk, kind: webhook, interval: 0}
            sources:
              - {id: harbour, name: Harbour, url: "https://harbour.example/feed", channels: [town, desk],
                 delay: 1, interval: 100, announce_first: 100}
              - {id: mill, name: Mill, url: "https://mill.example/feed", channels: [town],
                 delay: 1, interval: 100, announce_first: 100}
        """,
        pages=_pages(
            Page(url=f"{HARBOUR}/feed", body=feed(SWANS, ferry)),
            Page(url=f"{MILL}/feed", body=feed(wheel, flour)),
            Page(url=f"{MILL}/robots.txt", body="User-agent: *\nCrawl-delay: 7\n"),
            SWANS,
            ferry,
            wheel,
            flour,
        ),
        articles={
            SWANS.title: frozenset({"town", "desk"}),
            ferry.title: frozenset({"town", "desk"}),
            wheel.title: frozenset({"town"}),
            flour.title: frozenset({"town"}),
        },
        crawl_delays={"mill.example": 7.0},
    )


def _shares() -> Scene:
    """More sources than a run asks by itself: others are left to runs that the polls queue starts."""
    wheel = Page(url=f"{MILL}/wheel", title="The mill wheel turns backwards again")
    return Scene(
        name="shares",
        share=1,
        sources="""
            channels:
              - {id: town, kind: webhook, interval: 0}
            sources:
              - {id: harbour, name: Harbour, url: "https://harbour.example/feed", channels: [town],
                 delay: 1, interval: 100, announce_first: 100}
              - {id: mill, name: Mill, url: "https://mill.example/feed", channels: [town],
                 delay: 1, interval: 100, announce_first: 100}
        """,
        pages=_pages(
            Page(url=f"{HARBOUR}/feed", body=feed(SWANS)), Page(url=f"{MILL}/feed", body=feed(wheel)), SWANS, wheel
        ),
        articles={SWANS.title: frozenset({"town"}), wheel.title: frozenset({"town"})},
    )


def _knots() -> Scene:
    """What makes articles meet: two feeds of one paper, a canonical address, a move to another host, refused pages."""
    shared = Page(url=f"{HARBOUR}/shared", title="One story that stands in both feeds")
    address = f"{HARBOUR}/2026/11/tide-tables-on-tea-towels"
    amp = Page(url=f"{address}/amp", title="Tide tables are printed on tea towels", canonical=address)
    tide = Page(url=address, title=amp.title, canonical=address)
    moved = Page(url=f"{HARBOUR}/grain", moved=f"{MILL}/grain")
    grain = Page(url=f"{MILL}/grain", title="A grain of truth weighs four grams")
    missing = Page(url=f"{HARBOUR}/missing", title="This one was taken down", status=404)
    wall = Page(url=f"{HARBOUR}/wall", title="Behind the wall there is a garden", status=403)
    return Scene(
        name="knots",
        sources="""
            channels:
              - {id: town, kind: webhook, interval: 0}
              - {id: bot, kind: slack-bot, interval: 0}
            sources:
              - {id: harbour, name: Harbour, url: "https://harbour.example/feed", channels: [town],
                 delay: 1, interval: 100, announce_first: 100, off_site: true}
              - {id: city, name: City, url: "https://harbour.example/city", channels: [bot],
                 delay: 1, interval: 100, announce_first: 100, off_site: true}
        """,
        pages=_pages(
            Page(url=f"{HARBOUR}/feed", body=feed(shared, amp, moved, missing)),
            Page(url=f"{HARBOUR}/city", body=feed(shared, tide, (wall, True))),
            shared,
            amp,
            tide,
            moved,
            grain,
            missing,
            wall,
        ),
        articles={
            shared.title: frozenset({"town", "bot"}),
            tide.title: frozenset({"town", "bot"}),
            grain.title: frozenset({"town"}),
            wall.title: frozenset({"bot"}),
        },
        unavailable=1,
    )


def _walls() -> Scene:
    """What a feed has in full, behind links that all end on one page: where dead links end."""
    regret = "We looked in every drawer of this house, and behind the piano. What you ask for is not here any more. "
    html = f"<html lang='en'><title>Nothing found</title><body><main><h1>Nothing found</h1><p>{regret * 3}</p></main>"
    sorry = Page(url=f"{HARBOUR}/sorry", body=html)
    lamp = Page(url=f"{HARBOUR}/lamp", title="A street lamp that has never been switched off", moved=sorry.url)
    kite = Page(url=f"{HARBOUR}/kite", title="The kite that came down behind the brewery", moved=sorry.url)
    return Scene(
        name="walls",
        sources=ONE_CHANNEL,
        pages=_pages(Page(url=f"{HARBOUR}/feed", body=feed((lamp, True), (kite, True))), lamp, kite, sorry),
        articles={page.title: frozenset({"town"}) for page in (lamp, kite)},
    )


def _text() -> Scene:
    """Two feeds whose text is the article: nobody's turn keeps two workers from committing one at once."""
    kite = Page(url=f"{HARBOUR}/kite", title="The kite that came down behind the brewery")
    lamp = Page(url=f"{HARBOUR}/lamp", title="A street lamp that has never been switched off")
    return Scene(
        name="text",
        sources="""
            channels:
              - {id: town, kind: webhook, interval: 0}
            sources:
              - {id: harbour, name: Harbour, url: "https://harbour.example/feed", channels: [town],
                 delay: 1, interval: 100, announce_first: 100, fetch: feed}
              - {id: city, name: City, url: "https://harbour.example/city", channels: [town],
                 delay: 1, interval: 100, announce_first: 100, fetch: feed}
        """,
        pages=_pages(
            Page(url=f"{HARBOUR}/feed", body=feed((lamp, True))),
            Page(url=f"{HARBOUR}/city", body=feed((lamp, True))),
            lamp,
        ),
        later=_pages(Page(url=f"{HARBOUR}/feed", body=feed((kite, True), (lamp, True))), kite),
        articles={lamp.title: frozenset({"town"}), kite.title: frozenset({"town"})},
    )


def _sole() -> Scene:
    """One article, and later another, of a host in no hurry."""
    return Scene(
        name="sole",
        sources=ONE_CHANNEL.replace("delay: 1", "delay: 5"),
        delay=5.0,
        pages=_pages(Page(url=f"{HARBOUR}/feed", body=feed(SWANS)), SWANS),
        later=_pages(Page(url=f"{HARBOUR}/feed", body=feed(FERRY, SWANS)), FERRY),
        articles={page.title: frozenset({"town"}) for page in (SWANS, FERRY)},
    )


def _dead() -> Scene:
    """A page that never answers, beside one that does."""
    quiet = Page(url=f"{HARBOUR}/quiet", title="Nothing but the sea to be heard here")
    return Scene(
        name="dead",
        attempts=6,  # the last after a delay that is longer than one of SQS
        sources="""
            channels:
              - {id: town, kind: webhook, interval: 0}
            sources:
              - {id: harbour, name: Harbour, url: "https://harbour.example/feed", channels: [town],
                 delay: 1, interval: 1000, announce_first: 100}
        """,
        pages=_pages(
            Page(url=f"{HARBOUR}/feed", body=feed(quiet, SWANS)),
            Page(url=quiet.url, status=500),
            SWANS,
        ),
        articles={SWANS.title: frozenset({"town"})},
        parked=("http-500",),
    )


def _hours() -> Scene:
    """Channels that wait: for the end of quiet hours, for their digest, for another day. It is 11:07 in UTC."""
    return Scene(
        name="hours",
        sources="""
            channels:
              - {id: town, kind: webhook, interval: 0, quiet_hours: {start: "11:00", end: "11:30"}}
              - {id: desk, kind: webhook, interval: 0, digest: {every: 20}}
              - {id: cap, kind: webhook, interval: 0, daily_cap: 1, timezone: Pacific/Fiji} # midnight is at 12:00 UTC
            sources:
              - {id: harbour, name: Harbour, url: "https://harbour.example/feed", channels: [town, desk, cap],
                 delay: 1, interval: 100, announce_first: 100}
        """,
        pages=_pages(Page(url=f"{HARBOUR}/feed", body=feed(SWANS, FERRY)), SWANS, FERRY),
        articles={page.title: frozenset({"town", "desk", "cap"}) for page in (SWANS, FERRY)},
        quiet={"town": START + 23 * 60 - 20},
        capped={"cap": (1, START + 53 * 60 - 20)},
    )


def _busy() -> Scene:
    """A host that says 429, a page its robots.txt forbids, and a channel that says 429."""
    swans = msgspec.structs.replace(SWANS, busy=2)
    locked = Page(url=f"{HARBOUR}/locked/lamp", title="A lamp behind the fence")
    robots = Page(url=f"{HARBOUR}/robots.txt", body="User-agent: *\nDisallow: /locked/\n")
    return Scene(
        name="busy",
        sources=ONE_CHANNEL,
        pages=_pages(Page(url=f"{HARBOUR}/feed", body=feed(swans, FERRY, locked)), robots, swans, FERRY, locked),
        articles={page.title: frozenset({"town"}) for page in (swans, FERRY)},
        unavailable=1,
        forbidden=frozenset({locked.url}),
        tired=frozenset({"town"}),
    )


def _import() -> Scene:
    """Seed documents, one of an article that a feed brings as well."""
    return Scene(
        name="import",
        sources=ONE_CHANNEL,
        pages=_pages(Page(url=f"{HARBOUR}/feed", body=feed(SWANS)), SWANS, FERRY),
        articles={page.title: frozenset({"town"}) for page in (SWANS, FERRY)},
        documents=(_document(SWANS), _document(FERRY)),
    )


def _kept() -> Scene:
    """Pages that are archived, and asked for again after an hour: one that can't be read, one that another host has by
    now, one that reads otherwise each time."""
    ferry = msgspec.structs.replace(FERRY, changing=True)
    blank = Page(url=f"{HARBOUR}/blank", body="<html><body><p>.</p></body></html>")
    moved = Page(url=f"{HARBOUR}/grain", moved=f"{MILL}/grain")
    grain = Page(url=f"{MILL}/grain", title="A grain of truth weighs four grams")
    return Scene(
        name="kept",
        archive=True,
        # polled before any page is due: from the first poll that succeeds on it is noted which are
        sources=ONE_CHANNEL.replace(
            "interval: 100, announce_first", "off_site: true, refetch: [1], interval: 40, announce_first"
        ),
        pages=_pages(
            Page(url=f"{HARBOUR}/feed", body=feed(SWANS, blank, moved, ferry)), SWANS, blank, moved, grain, ferry
        ),
        articles={page.title: frozenset({"town"}) for page in (SWANS, FERRY, grain)},
        revised=frozenset({FERRY.title}),
        unavailable=1,
    )


def _lives() -> Scene:
    """What becomes of articles: one is corrected; one, all of its day, is forgotten but in a feed; one is late."""
    lamp = Page(url=f"{HARBOUR}/lamp", title="A street lamp that has never been switched off")
    return Scene(
        name="lives",
        sources="""
            channels:
              - {id: town, kind: webhook, interval: 0, updates: true}
              - {id: desk, kind: webhook, interval: 0}
            sources:
              - {id: harbour, name: Harbour, url: "https://harbour.example/feed", channels: [town, desk],
                 delay: 1, interval: 100, announce_first: 100}
        """,
        pages=_pages(Page(url=f"{HARBOUR}/feed", body=feed(SWANS)), SWANS, FERRY),
        later=_pages(Page(url=f"{HARBOUR}/feed", body=feed(lamp, FERRY, SWANS)), lamp),
        articles={page.title: frozenset({"town", "desk"}) for page in (SWANS, FERRY, lamp)},
        documents=(_document(FERRY),),
        acts=((1000.0, "revise", SWANS.title), (4600.0, "forget", FERRY.title)),
        updates=frozenset({"town"}),
        published=True,
    )


def _pushed() -> Scene:
    """A paper with a hub, whose pushes come long before the next poll."""
    kite = Page(url=f"{HARBOUR}/kite", title="The kite that came down behind the brewery")
    topic = f"{HARBOUR}/feed"
    return Scene(
        name="pushed",
        sources=ONE_CHANNEL.replace("interval: 100", "interval: 10"),
        pages=_pages(Page(url=topic, body=feed(SWANS, hub=links(topic))), SWANS),
        later=_pages(Page(url=topic, body=feed(kite, SWANS, hub=links(topic))), kite),
        articles={page.title: frozenset({"town"}) for page in (SWANS, kite)},
        pushed=True,
        told_by={kite.title: START + LATER + 60},
    )


def _words() -> Scene:
    """A channel that asks for a model's words, another that asks for the same, and one that wants none."""
    return Scene(
        name="words",
        sources="""
            channels:
              - {id: town, kind: webhook, interval: 0, summaries: model}
              - {id: cap, kind: webhook, interval: 0, summaries: model}
              - {id: desk, kind: webhook, interval: 0}
            sources:
              - {id: harbour, name: Harbour, url: "https://harbour.example/feed", channels: [town, cap, desk],
                 delay: 1, interval: 100, announce_first: 100}
        """,
        pages=_pages(Page(url=f"{HARBOUR}/feed", body=feed(SWANS, FERRY)), SWANS, FERRY),
        articles={page.title: frozenset({"town", "cap", "desk"}) for page in (SWANS, FERRY)},
        worded=frozenset({"town", "cap"}),
    )


def _document(page: Page) -> str:
    text = "".join(f"<p>{part}</p>" for part in prose(page.title))
    return f"<!--1687182301000-->\n[{page.title}]({page.url})\n------\n\n<div>19/06/2023 - 15:45</div><div>{text}</div>"


SCENES = {
    scene.name: scene
    for scene in (
        _plain(),
        _shares(),
        _knots(),
        _walls(),
        _text(),
        _hours(),
        _busy(),
        _import(),
        _kept(),
        _lives(),
        _pushed(),
        _words(),
        _sole(),
        _dead(),
    )
}
