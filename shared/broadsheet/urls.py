"""Which article a URL names: the written policy of identity, version `POLICY`.

Two forms of a link, both WHATWG-parsed, so that we read it as a browser does:

`clean` is what to **fetch and show**. It only takes away what names no content: trackers, fragment, credentials.
`canonicalize` is what to **compare and hash**. It also folds spellings that publishers switch between, so that a site
moving to https or off `www` brings no second article. It nearly always answers when fetched, but a few hosts know only
http, only www or only the slash: that is what `clean` is for.

The policy of `canonicalize`, in order:

scheme      only http and https; http becomes https on a public name and its default port. IP addresses, single labels,
            `.local`, `.localhost`, `.internal` and explicit ports keep theirs.
host        lower case, punycode, no trailing dot, no leading `www.` unless what is left is a public suffix
            (`www.gov.cn` stays); no default port; no user and password. `m.`, `amp.` and other mirrors are not
            guessed: their page's `rel=canonical` names the article (`believable_canonical`).
path        case kept. Escapes are UTF-8 bytes spelt one way: needless ones undone, needed ones upper case, raw Chinese
            escaped. Empty segments, a trailing slash and a trailing `index.html`, `.htm`, `.shtml` or `.php` go, as do
            session ids (`;jsessionid=…`, ASP.NET's `(S(…))`).
query       trackers and session ids go; the rest is sorted, one spelling of escapes, `+` for a space, `b` for `b=`.
            `&amp;` left over from double escaping is read as `&`. Unknown parameters stay: a duplicate is a nuisance,
            a lost article a fault.
fragment    dropped (BBC and DW change theirs, franceinfo writes `#xtor=`), except client-side routes, `#!…` and
            `#/…`, where the fragment is the only thing that tells articles apart.

Trackers: the names that ClearURLs, courlan, mcmetadata and Miniflux agree on and those met on news feeds; names that
also carry content (`ref`, `source`, `from`) go only with a value that names a channel.

A longer list is a new `POLICY`, which makes no new ids of old articles: what was stored under the id that a former
policy gives a link is found by that (`article_ids`).
"""

import base64
import hashlib
import re
import unicodedata
from functools import cache
from urllib.parse import quote, quote_plus, unquote_to_bytes

import ada_url
from publicsuffixlist import PublicSuffixList

from broadsheet.errors import BroadsheetError

POLICY = 1

MAX_LENGTH = 8192  # characters; nginx and Apache refuse longer request lines, and DynamoDB items should stay small

_TRACKER_LIST = """
              fbclid gclid gclsrc dclid wbraid gbraid gad_source gad_campaignid msclkid yclid ysclid twclid ttclid
              li_fat_id igshid igsh mibextid epik scid sc_cid s_cid s_kwcid clickid irclickid rdt_cid srsltid awc
              mc_cid mc_eid mkt_tok _hsenc _hsmi hsctatracking __hssc __hstc __hsfp vero_id vero_conv oly_anon_id
              oly_enc_id rb_clickid wickedid elqtrack elqtrackid elqaid elqat sfmc_id ck_subscriber_id _kx dm_i
              _ga _gl gs_l xtor xtref xts cmpid icid ncid ito aftr_source ns_campaign ns_mchannel ns_source ns_linkname
              ns_fee trk trkcampaign trkinfo spm scm wt.mc_id wt.mc_ev wt_mc wt.tsrc ocid taid
              maca smid smtyp emc feedtype feedname gaa_at gaa_n gaa_ts gaa_sig guccounter guce_referrer
              guce_referrer_sig outputfrom spss spssid
              share_token sharetoken share_from share_id tt_from isappinstalled wxshare_count nsukey
"""
_TRACKERS = dict.fromkeys(_TRACKER_LIST.split(), 1)  # each with the policy that it came with
_TRACKER_PREFIXES = ("utm_", "utm-", "at_", "mtm_", "pk_", "piwik_", "matomo_", "hsa_", "stm_", "oft_", "bsft_", "trk_")
_CHANNEL_NAMES = frozenset(
    ("ref", "source", "src", "from", "via", "cmp", "partner", "rss", "feed", "medium", "referrer", "referer")
)
_CHANNEL_VALUES = re.compile(
    r"(rss|atom|feeds?|feedburner|twitter|facebook|fb|linkedin|whatsapp|telegram|reddit|instagram|weibo|weixin|wechat"
    r"|newsletter|e-?mail|social|share|sharing|timeline|singlemessage|groupmessage)([-_.\d].*)?",
    re.IGNORECASE,
)
_SESSIONS = frozenset(
    ("jsessionid", "phpsessid", "sessionid", "session_id", "aspsessionid", "oscsid", "zenid", "cfid", "cftoken")
)
_SESSION_IF_LONG = frozenset(("sid", "s"))  # PHP-Nuke's sid=123 is an article, phpBB's sid=<32 hex> a session
_LONG_TOKEN = re.compile(r"[0-9a-f]{32,}", re.IGNORECASE)
_PATH_SESSION = re.compile(r";(?:jsessionid|phpsessid)=[^;/]*", re.IGNORECASE)
_ASP_SESSION = re.compile(r"(?:\([A-Z]\([a-z0-9]{20,}\)\)|\((?:[A-Z]\([A-Za-z0-9_-]{20,}\))+\))")
_INDEX = re.compile(r"index\.(?:html?|shtml|php)", re.IGNORECASE)

_PATH_SAFE = "!$&'()*+,:;=@~"  # RFC 3986 pchar: what a path segment may hold raw
_QUERY_SAFE = "/:@!$'()*,;?~"
_PRIVATE_NAMES = (".local", ".localhost", ".internal")


class UrlError(BroadsheetError):
    """Not a URL of an article. `subject` is the text; `reason` is `malformed`, `scheme` or `too-long`."""


def parse(url: str, base: str | None = None) -> ada_url.URL:
    """The WHATWG parse of `url`, against `base` if given; any scheme. UrlError `malformed` where the standard fails."""
    try:
        return ada_url.URL(url, base=base)
    except (ValueError, TypeError) as error:  # TypeError: lone surrogates, which no UTF-8 spells
        raise UrlError(_printable(url), "malformed") from error


def resolve(base: str, link: str) -> str:
    """The absolute http(s) URL that `link` names on the page `base`. UrlError for anything else."""
    absolute = re.match(r"https?://", link, re.IGNORECASE)  # then the base has no say, and its parse can be spared
    return str(_web(parse(link) if absolute else parse(link, base), link))


def clean(url: str) -> str:
    """`url` as it should be fetched and shown: without trackers, fragment and credentials, otherwise as published."""
    return str(_clean(url, POLICY))


def canonicalize(url: str, policy: int | None = None) -> str:
    """The canonical URL under `POLICY`, or under a former one: equal for links to one article. Idempotent; UrlError if
    it isn't a web URL."""
    policy = POLICY if policy is None else policy
    parsed = _clean(url, policy)
    scheme, host, port = parsed.protocol, _host(parsed), parsed.port
    public = _is_public_name(host)
    if scheme == "http:" and not port and public:
        scheme = "https:"
    while public and host.startswith("www.") and _suffixes().privatesuffix(host[4:]):
        host = host[4:]
    path, query = _path(parsed.pathname), _query(parsed.search[1:], policy)
    return f"{scheme}//{host}" + (f":{port}" if port else "") + path + (f"?{query}" if query else "") + parsed.hash


def article_id(url: str) -> str:
    """26 characters: lower-case base32 of SHA-256 over `canonicalize(url)`, so 130 bits of it."""
    return _id(canonicalize(url))


def article_ids(url: str) -> tuple[str, ...]:
    """`article_id`, and before it had another value under former policies, those, the latest first."""
    return tuple(dict.fromkeys(_id(canonicalize(url, policy)) for policy in range(POLICY, 0, -1)))


def host_key(url: str) -> str:
    """Whom politeness is owed: the ASCII host, with `:port` where it isn't the scheme's default."""
    parsed = _web(parse(url), url)
    return _host(parsed) + (f":{parsed.port}" if parsed.port else "")


def registrable_domain(url: str) -> str:
    """The name its owner registered (`bbc.co.uk`, `name.github.io`); the host itself for addresses and bare names."""
    host = _host(_web(parse(url), url))
    return (_suffixes().privatesuffix(host) if _is_public_name(host) else None) or host


def same_site(a: str, b: str) -> bool:
    """Whether both belong to one registrable domain, whatever their scheme, port and subdomain."""
    return registrable_domain(a) == registrable_domain(b)


def is_home_page(url: str) -> bool:
    """Whether `url` is a site's front page, or that of one of its languages: `/`, `/zh/`, `/en-gb`."""
    parsed = _web(parse(url), url)
    segments = [part for part in _path(parsed.pathname).split("/") if part]
    if _query(parsed.search[1:], POLICY) or _names_a_place(parsed.hash):
        return False
    return not segments or (len(segments) == 1 and _LANGUAGE_ROOT.fullmatch(segments[0]) is not None)


def is_section_page(url: str) -> bool:
    """Whether `url` looks like a home, section, topic or archive page rather than an article. A heuristic on words:
    articles have numbers, long slugs or a query; sections a few short words."""
    parsed = _web(parse(url), url)
    segments = [_decoded(part) for part in _path(parsed.pathname).split("/") if part]
    if _query(parsed.search[1:], POLICY) or _names_a_place(parsed.hash):
        return False
    if not segments or (len(segments) == 1 and re.fullmatch(r"[a-z]{2}([-_][a-z]{2,4})?", segments[0], re.I)):
        return True
    if segments[0].lower() in _LISTS and len(segments) <= 3:
        return True
    if all(re.fullmatch(r"\d{1,4}", part) for part in segments):  # /2026/11/: an archive; /8123456 is an article
        return len(segments) > 1 or len(segments[0]) == 4
    last = segments[-1]
    words = [word for word in re.split(r"[-_.\s]+", last) if word]
    if re.search(r"\d", last) or len(words) > 3 or re.search(r"\.(s?html?|php|aspx?|jsp)$", last, re.I):
        return False
    han = sum(unicodedata.name(char, "").startswith("CJK UNIFIED") for char in last)
    return han < 6 and len(last) < 24 and not (len(last) >= 10 and re.search(r"[a-z][A-Z]", last))


def believable_canonical(url: str, claimed: str, title: str | None, claimed_title: str | None) -> bool:
    """Whether the page at `url`, titled `title`, may be filed under the canonical link `claimed` it names.

    A canonical link is a claim. It is believed only within one registrable domain, never towards a home or section
    page, and only if the titles agree. While the claimed page's own title isn't known (`claimed_title` None or empty),
    only an evident twin is believed: the last path segment of `claimed` is also one of `url` (AMP and mobile pages).
    Two spellings of one canonical URL need no belief: True.
    """
    try:
        if canonicalize(url) == canonicalize(claimed):
            return True
        if not same_site(url, claimed) or is_section_page(claimed):
            return False
    except UrlError:
        return False
    if not title or not claimed_title:
        return _evident_twin(url, claimed)
    return titles_agree(title, claimed_title)


def titles_agree(a: str, b: str) -> bool:
    """Whether two titles name one story: equal but for case, punctuation and a trailing site name, or nearly so
    (Dice coefficient of character bigrams ≥ 0.8). Different numbers never agree: "Day 12" is not "Day 13"."""
    plain_a, plain_b = _plain(a), _plain(b)
    if not plain_a or not plain_b:
        return False
    if plain_a == plain_b or plain_a in _without_site(b) or plain_b in _without_site(a):
        return True
    if re.findall(r"\d+", plain_a) != re.findall(r"\d+", plain_b):
        return False
    pairs_a = {plain_a[i : i + 2] for i in range(len(plain_a) - 1)}
    pairs_b = {plain_b[i : i + 2] for i in range(len(plain_b) - 1)}
    return bool(pairs_a and pairs_b) and 2 * len(pairs_a & pairs_b) >= 0.8 * (len(pairs_a) + len(pairs_b))


# A site's front page in one of the languages that news are written in, with a region or a script or without.
_LANGUAGE_ROOT = re.compile(
    r"(?:af|am|ar|az|be|bg|bn|bs|ca|cn|cs|cy|da|de|el|en|es|et|eu|fa|fi|fr|ga|gl|gu|ha|he|hi|hr|hu|hy|id|is|it|ja|ka|kk"
    r"|km|kn|ko|ky|lo|lt|lv|mk|ml|mn|mr|ms|my|nb|ne|nl|no|pa|pl|ps|pt|ro|ru|si|sk|sl|so|sq|sr|sv|sw|ta|te|tg|th|tk|tr"
    r"|uk|ur|uz|vi|zh)(?:[-_](?:[a-z]{2}|hans|hant|cyrl|latn))?",
    re.IGNORECASE,
)
_LISTS = frozenset(
    ("tag", "tags", "topic", "topics", "category", "categories", "author", "authors", "section", "search", "archive")
)


def _id(canonical: str) -> str:
    digest = hashlib.sha256(canonical.encode()).digest()
    return base64.b32encode(digest).decode("ascii").lower()[:26]


def _clean(url: str, policy: int) -> ada_url.URL:
    parsed = _web(parse(url), url)
    parsed.username = parsed.password = ""
    if len(parsed.hash) < 3 or parsed.hash[1] not in "!/":
        parsed.hash = ""
    pieces = parsed.search[1:].split("&")
    kept = [piece for piece in pieces if not _names_no_content(piece, policy)]
    if len(kept) != len(pieces):
        parsed.search = "&".join(kept)
    return parsed


def _web(parsed: ada_url.URL, text: str) -> ada_url.URL:
    if parsed.protocol not in ("http:", "https:"):
        raise UrlError(_printable(text), "scheme", parsed.protocol.rstrip(":")[:40])
    if len(str(parsed)) > MAX_LENGTH:
        raise UrlError(_printable(text), "too-long", f"{len(str(parsed))} characters")
    if not _host(parsed):
        raise UrlError(_printable(text), "malformed", "no host")
    return parsed


def _printable(text: str) -> str:
    return text[:500].encode("utf-8", "backslashreplace").decode()


def _host(parsed: ada_url.URL) -> str:
    return str(parsed.hostname).rstrip(".")


def _is_public_name(host: str) -> bool:
    if host.startswith("[") or "." not in host or host.endswith(_PRIVATE_NAMES):
        return False
    return not host.rpartition(".")[2].isdigit()  # the standard turns every numeric last label into an IPv4 address


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()  # reads the list that ships with it: 50 ms once, no network


def _names_a_place(fragment: str) -> bool:
    return fragment.startswith(("#!", "#/"))


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "replace")


def _path(path: str) -> str:
    segments = []
    for raw in path.split("/"):
        segment = quote(unquote_to_bytes(raw), safe=_PATH_SAFE)
        bare = _PATH_SESSION.sub("", segment)
        if bare in (".", ".."):  # `..;jsessionid=1` must not become a step upwards
            bare = segment
        if bare and not _ASP_SESSION.fullmatch(bare):
            segments.append(bare)
    while segments and _INDEX.fullmatch(segments[-1]):
        segments.pop()
    return "/" + "/".join(segments)


def _query(query: str, policy: int) -> str:
    pairs = []
    for piece in query.split("&"):
        if not piece or _names_no_content(piece, policy):
            continue
        name, value = _pair(piece)
        spelt = quote_plus(name, safe=_QUERY_SAFE)
        pairs.append(f"{spelt}={quote_plus(value, safe=_QUERY_SAFE + '=')}" if value else spelt)
    return "&".join(sorted(pair for pair in pairs if pair))


def _pair(piece: str) -> tuple[bytes, bytes]:
    name, _, value = piece.partition("=")
    while name.startswith("amp;"):
        name = name[4:]
    return unquote_to_bytes(name.replace("+", " ")), unquote_to_bytes(value.replace("+", " "))


def _names_no_content(piece: str, policy: int) -> bool:
    raw_name, raw_value = _pair(piece)
    name, value = raw_name.decode("utf-8", "replace").lower(), raw_value.decode("utf-8", "replace")
    if _TRACKERS.get(name, policy + 1) <= policy or name in _SESSIONS or name.startswith(tuple(_TRACKER_PREFIXES)):
        return True
    if name in _SESSION_IF_LONG:
        return bool(_LONG_TOKEN.fullmatch(value))
    return name in _CHANNEL_NAMES and bool(_CHANNEL_VALUES.fullmatch(value))


def _evident_twin(url: str, claimed: str) -> bool:
    stems, claimed_stems = _stems(url), _stems(claimed)
    return bool(claimed_stems) and len(claimed_stems[-1]) >= 4 and claimed_stems[-1] in stems


def _stems(url: str) -> list[str]:
    path = _path(parse(url).pathname)
    return [segment.partition(".")[0] for segment in path.split("/") if segment]


def _plain(title: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKC", title).casefold() if char.isalnum())


def _without_site(title: str) -> set[str]:
    """The title cut at each separator that publishers put before their name."""
    cuts = re.finditer(r"\s+[|\-–—·•»:]\s+|[_|｜]", title)
    return {_plain(title[: cut.start()]) for cut in cuts} - {""}
