"""What robots.txt allows, what its answers mean, and how long a hostile one may take."""

from collections.abc import Iterator

import pytest
from protego import Protego

from broadsheet import robots
from broadsheet.robots import Robots, from_answer, location, pack, parse, unpack

AGENT = "Broadsheet/0.1 (+https://example.org/bot)"

FILE = b"""# the house rules
User-agent: Broadsheet
Disallow: /drafts/
Allow: /drafts/open
Crawl-delay: 2.5

User-agent: *
Disallow: /
Crawl-delay: 30

Sitemap: https://example.org/news.xml
"""


def test_our_group_counts_and_nobody_elses() -> None:
    rules = parse(FILE)
    assert rules.allows("https://example.org/2026/story", AGENT)
    assert not rules.allows("https://example.org/drafts/1", AGENT)
    assert rules.allows("https://example.org/drafts/open-letter", AGENT)
    assert not rules.allows("https://example.org/2026/story", "Otherbot/2.0")
    assert rules.crawl_delay(AGENT) == 2.5
    assert rules.crawl_delay("Broadsheet") == 2.5
    assert rules.crawl_delay("Otherbot") == 30
    assert rules.sitemaps() == ("https://example.org/news.xml",)


def test_the_contact_in_the_user_agent_names_no_group() -> None:
    rules = parse(b"User-agent: bot\nUser-agent: example\nDisallow: /\n")
    assert rules.allows("https://example.org/a", AGENT)
    assert rules.allows("https://example.org/a", "Broadsheet/0.1 (+bot@example.org)")
    assert not rules.allows("https://example.org/a", "Bot/1.0")


def test_the_longest_name_counts() -> None:
    rules = parse(b"User-agent: broadsheet\nDisallow: /a\n\nUser-agent: broadsheet-news\nDisallow: /b\n")
    assert rules.allows("https://example.org/a", "Broadsheet-News/1.0")
    assert not rules.allows("https://example.org/b", "Broadsheet-News/1.0")
    assert rules.allows("https://example.org/b", AGENT)


def test_a_line_may_name_several_agents() -> None:
    rules = parse(b"User-agent: Otherbot Broadsheet\nDisallow: /a\n")
    assert not rules.allows("https://example.org/a", AGENT)
    assert rules.allows("https://example.org/b", AGENT)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_a_byte_order_mark_is_no_part_of_the_first_line(mark: bytes) -> None:
    assert not parse(mark + b"User-agent: *\nDisallow: /a").allows("https://example.org/a", AGENT)


def test_utf_16_is_read() -> None:
    assert not parse("\ufeffUser-agent: *\nDisallow: /a\n".encode("utf-16-le")).allows("https://e.org/a", AGENT)


@pytest.mark.parametrize("body", [b"", b"\x00\xff\xfe" * 100, b"<html>no such page</html>", b"Disallow: /", b"::::\n:"])
def test_junk_is_no_rule(body: bytes) -> None:
    assert parse(body).allows("https://example.org/a", AGENT)
    assert parse(body).crawl_delay(AGENT) is None


@pytest.mark.parametrize("delay", [b"soon", b"-1", b"nan", b"inf", b"1e999", b""])
def test_a_delay_that_is_none(delay: bytes) -> None:
    assert parse(b"User-agent: *\nCrawl-delay: " + delay).crawl_delay(AGENT) is None


@pytest.mark.parametrize(
    ("status", "allowed"),
    [(s, False) for s in (200, 206, 500, 503, 599, None)] + [(s, True) for s in (301, 400, 401, 403, 404, 429)],
)
def test_what_an_answer_means(status: int | None, allowed: bool) -> None:
    """RFC 9309, 2.3.1: a 2xx's rules, none for 3xx and 4xx, everything closed while the host can't say."""
    answer = from_answer(status, b"User-agent: *\nDisallow: /\n")
    assert answer.allows("https://example.org/a", AGENT) is allowed
    assert answer.allows("https://example.org/robots.txt", AGENT)
    assert unpack(pack(answer)) == answer


def test_what_follows_500_kib_is_not_read() -> None:
    filler = b"# filler\n" * (robots.MAX_BYTES // 9)
    assert parse(filler + b"User-agent: *\nDisallow: /a\n").allows("https://example.org/a", AGENT)
    head, tail = b"User-agent: *\n#", b"\nDisallow: /a"
    half_a_rule = head + b"x" * (robots.MAX_BYTES - len(head + tail)) + tail + b"bc\n"
    assert parse(half_a_rule).allows("https://example.org/axe", AGENT), "a rule cut in two would forbid more"
    assert len(parse(half_a_rule).body) <= robots.MAX_BYTES


def test_a_packed_one_fits_its_item_however_badly_it_compresses() -> None:
    noise = b"User-agent: *\nDisallow: /a\n" + b"".join(_noise())
    packed = pack(parse(noise))
    assert len(packed) <= 300_000
    assert not unpack(packed).allows("https://example.org/a", AGENT)
    small = parse(FILE)
    assert unpack(pack(small)) == small


def test_a_robots_is_a_value() -> None:
    assert parse(FILE) == parse(FILE) == Robots("rules", FILE)
    assert hash(parse(FILE)) == hash(parse(FILE))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/a/b?c", "https://example.org/robots.txt"),
        ("http://example.org:8080/a", "http://example.org:8080/robots.txt"),
        ("http://user:word@example.org", "http://example.org/robots.txt"),
        ("http://[2606:4700::1]:8080/a", "http://[2606:4700::1]:8080/robots.txt"),
    ],
)
def test_where_it_is(url: str, expected: str) -> None:
    assert location(url) == expected


def test_rules_are_kept_once_however_many_agents_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """protego keeps each rule once per agent above it: 15,000 of each took it seven minutes. It may see three."""
    seen: list[str] = []
    parse_all = Protego.parse

    def watched(content: str) -> Protego:
        seen.append(content)
        return parse_all(content)

    monkeypatch.setattr("broadsheet.robots.Protego.parse", watched)
    agents = b"".join(b"User-agent: a%d\n" % number for number in range(15_000))
    rules = b"".join(b"Disallow: /%d\n" % number for number in range(15_000))
    hostile = parse(agents + b"User-agent: broad\nUser-agent: broadsheet\nUser-agent: *\n" + rules)
    assert not hostile.allows("https://example.org/14999", AGENT)
    assert {line for line in seen[0].splitlines() if line.startswith("user-agent")} == {
        "user-agent: us",
        "user-agent: others",
        "user-agent: *",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"User-agent: *\nDisallow: /" + b"*a" * 100_000 + b"$",
        b"User-agent: *\n" + b"Disallow: /*a*b*c\n" * 25_000,
        b"User-agent: " + b"b " * 200_000 + b"\n" + b"Disallow: /x\n" * 5_000,
        b"User-agent:" + b" " * 500_000,
        b"User-agent: *\nDisallow: /" + b"%41" * 150_000,
        b"User-agent: *\nDisallow: /" + b"%" * 400_000,
    ],
)
@pytest.mark.timeout(20)
def test_hostile_files_end(body: bytes) -> None:
    parse(body).allows("https://example.org/" + "a" * 8000, "broadsheet b_" + "b" * 200)


def _noise() -> Iterator[bytes]:
    """Half a mebibyte that doesn't compress, in lines."""
    state = 1
    for _ in range(robots.MAX_BYTES // 64):
        line = bytearray(b"#")
        for _ in range(62):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            line.append(128 + (state >> 57))
        yield bytes(line) + b"\n"
