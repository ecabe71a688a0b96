"""WebSub (https://www.w3.org/TR/websub/): what a hub is asked, and how far it is believed. Decisions over plain data.

A feed that names a hub can be pushed: for a lease, the hub sends what is new to a callback of ours. The callback's
address holds a token that nobody can guess, and what is pushed is signed with a secret that only the hub was told.

**Trust**: a hub is believed, and the source asked but once a day, once it has pushed something; until a poll finds
something new that it didn't push. Many feeds name hubs that their publishers have long ceased to tell of anything.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from broadsheet.feeds import Feed
from broadsheet.feeds.plain import address

HOUR, DAY = 3600.0, 86_400.0
LEASE = 10 * DAY  # asked for; hubs give less as they please, Google's 5 days
MAX_LEASE = 30 * DAY  # a lease without end is asked for again all the same: hubs forget
DENIED_FOR = 7 * DAY  # until a hub that said no is asked again

METHODS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}

_LINK = re.compile(r"<([^<>]{1,2048})>((?:\s*;\s*[\w*-]+\s*=\s*(?:\"[^\"]{0,200}\"|[^\s\";,]{0,200}))*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\";,]+))", re.IGNORECASE)
_PATH = re.compile(r"/([a-z0-9][a-z0-9-]{0,62})/([A-Za-z0-9_-]{43})")


class Named(msgspec.Struct, frozen=True):
    """Where a feed is to be subscribed to: its hub, and the address under which the hub knows it."""

    hub: str
    topic: str


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed with a hub. Instants in epoch seconds, 0 for never; `lease` in seconds, as granted.

    `secret` is empty for a hub that isn't asked under TLS: what it pushes proves nothing, and only makes us look.
    `asks` counts requests since it last agreed. `pushed_at` is a push that renewed our trust, `missed_at` when a poll
    found what hadn't been pushed.
    """

    hub: str
    topic: str
    token: str
    secret: str = ""
    asks: int = 0
    asked_at: float = 0
    lease: float = 0
    lease_until: float = 0
    denied_at: float = 0
    pushed_at: float = 0
    missed_at: float = 0


def named(feed: Feed, headers: Mapping[str, str], *, url: str) -> Named | None:
    """The hub and topic that a feed's answer names, in its headers (lower-case names) or else in its body."""
    links: dict[str, str] = {}
    for target, parameters in _LINK.findall(headers.get("link", "")[:8192]):
        if rel := _REL.search(parameters):
            for name in (rel[1] or rel[2]).lower().split():
                if found := address(target, url):
                    links.setdefault(name, found)
    hub, topic = links.get("hub") or feed.hub, links.get("self") or feed.self_url
    return Named(hub, topic) if hub and topic else None


def begun(named: Named) -> Subscription:
    """A subscription to be asked for, under an address and with a secret of its own."""
    secret = secrets.token_urlsafe(32) if named.hub.startswith("https://") else ""
    return Subscription(hub=named.hub, topic=named.topic, token=secrets.token_urlsafe(32), secret=secret)


def is_due(known: Subscription, *, now: float) -> bool:
    """Whether the hub is to be asked, or asked again: half its lease is over, and it wasn't asked lately."""
    if now - known.denied_at < DENIED_FOR:
        return False
    pause = min(DENIED_FOR, HOUR * 2.0 ** max(0, min(known.asks - 1, 10)))
    return known.lease_until - now <= known.lease / 2 and now - known.asked_at >= pause


def pushes_until(known: Subscription, *, now: float) -> float | None:
    """Until when what is new will be pushed; None if that can't be relied on."""
    trusted = known.pushed_at > known.missed_at and known.lease_until > now
    return known.lease_until if trusted else None


def request(known: Subscription, callback: str) -> bytes:
    """The form that asks a hub to push to `callback`."""
    form = {
        "hub.mode": "subscribe",
        "hub.topic": known.topic,
        "hub.callback": callback,
        "hub.lease_seconds": f"{LEASE:.0f}",
    }
    return urlencode(form | ({"hub.secret": known.secret} if known.secret else {})).encode()


def path(source_id: str, token: str) -> str:
    """The callback's path for a source, without its slash."""
    return f"{source_id}/{token}"


def read_path(path: str) -> tuple[str, str] | None:
    """Source id and token in a callback's path; None for what is no path of ours."""
    found = _PATH.fullmatch(path)
    return (found[1], found[2]) if found else None


def is_token(known: Subscription, token: str) -> bool:
    """Whether a token is the subscription's; tells nothing by how long it takes."""
    return hmac.compare_digest(known.token.encode(), token.encode())


def lease(seconds: str) -> float:
    """The lease a hub grants, in seconds; what we asked for if it doesn't say."""
    return min(float(seconds), MAX_LEASE) if re.fullmatch(r"[0-9]{1,10}", seconds) else LEASE


def is_signed(known: Subscription, signature: str, body: bytes) -> bool:
    """Whether X-Hub-Signature says `method=hex` of the body under the secret. Nothing is signed without a secret."""
    method, _, given = signature.strip().partition("=")
    make = METHODS.get(method.lower())
    if make is None or not known.secret:
        return False
    expected = hmac.new(known.secret.encode(), body, make).hexdigest()
    return hmac.compare_digest(expected.encode(), given.strip().lower().encode())
