"""Fetching and posting: requests, redirects, and what an answer's status means."""

import math
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from broadsheet import codings, urls
from broadsheet.fetch.answers import Response, retry_after
from broadsheet.fetch.call import CONTROLS, Call, Limits
from broadsheet.fetch.connections import Connections, origin_of
from broadsheet.fetch.errors import LOWER, FetchDenied, FetchError, FetchGone, FetchTransient
from broadsheet.fetch.exchange import Answer, Request, ask
from broadsheet.fetch.gate import Gate, Resolve, resolve

VERSION = "0.1"  # pyproject.toml's; the layer carries no package metadata
_REDIRECTS = (301, 302, 303, 307, 308)
_DENIED = (401, 402, 403, 451)
_TRANSIENT = (202, 408, 421, 423, 425, 429)  # 202: queued, or a challenge by a bot filter
_CREDENTIALS = ("authorization", "cookie", "proxy-authorization")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ASCII = "".join(map(chr, range(0x20, 0x7F)))

_DEFAULT_LIMITS = Limits()


def user_agent(contact: str) -> str:
    """The truthful User-Agent: who we are and where to complain. `contact` is a URL or an e-mail address."""
    return f"Broadsheet/{VERSION} (+{contact})"


class Client:
    """Fetches and posts; one per warm function, for all its threads. Keeps one idle connection per origin.

    `allowed_networks` are the exceptions for an intranet or a test: networks ("10.1.0.0/16") or endpoints
    ("127.0.0.1:8080", "[::1]:8080"), on any port. `resolve` may be another resolver; its answers are judged all the
    same. `clock` gives seconds since 1970: deadlines and a dated Retry-After are read against it.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        allowed_networks: Sequence[str] = (),
        limits: Limits = _DEFAULT_LIMITS,
        resolve: Resolve = resolve,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.limits = limits
        self._clock = clock
        self._connections = Connections(Gate(allowed_networks, resolve, limits.connect_seconds))
        self._defaults = {
            "user-agent": user_agent,
            "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "accept-encoding": codings.ACCEPTED,
        }

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        before_redirect: Callable[[str], None] | None = None,
        before_host: Callable[[str], None] | None = None,
        deadline: float | None = None,
        beginning: int | None = None,
    ) -> Response:
        """The page at `url`, over at most `Limits.redirects` redirects; raises a FetchError for anything else.

        Status 200, or 304 if `headers` made it conditional. `headers` go over the client's own. Credentials among them
        stay on the first origin. `before_redirect(target)` is called before each redirect is followed, then
        `before_host(target)` if it leads to another `urls.host_key`; what they raise ends the fetch and reaches the
        caller.
        `deadline` is an instant of the client's clock at which this ends, whatever the limits.
        `beginning` is how many bytes of the page will do: what comes after is not read, and no page is too large.
        """
        call = Call(self.limits, math.inf if deadline is None else deadline - self._clock())
        target = call.parsed(url)
        sent = self._headers(call, headers if beginning is None else {**(headers or {}), "accept-encoding": "identity"})
        hops: list[tuple[int, str]] = []
        while True:
            answer = self._exchange(Request("GET", target, sent, None, beginning), call)
            if answer.status not in _REDIRECTS:
                break
            if answer.location is None:
                raise call.refused("redirect-without-location", status=answer.status)
            if len(hops) == self.limits.redirects:
                raise call.refused("too-many-redirects", f"more than {len(hops)}", status=answer.status)
            following = call.parsed(quote(answer.location.encode("latin-1"), safe=_ASCII), base=target.href)
            if origin_of(following) != origin_of(target) and any(name in sent for name in _CREDENTIALS):
                if (target.protocol, following.protocol) == ("https:", "http:"):
                    raise call.refused("downgrade-refused", "with credentials", status=answer.status)
                sent = {name: value for name, value in sent.items() if name not in _CREDENTIALS}
            hops.append((answer.status, following.href))
            call.note("redirect", f"{answer.status} to {following.href}")
            if before_redirect:
                before_redirect(following.href)
            if before_host and urls.host_key(following.href) != urls.host_key(target.href):
                before_host(following.href)
            target = following
        conditional = "if-none-match" in sent or "if-modified-since" in sent
        if answer.status != 200 and not (answer.status == 304 and conditional):
            raise self._failed(answer, call)
        return Response(
            url=target.href,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            sent=sent,
            redirects=tuple(hops),
            elapsed=call.elapsed,
            trace=tuple(call.steps),
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
        """The answer to a JSON `body` posted to `url`, whatever its status; redirects are not followed.

        Raises FetchRefused or FetchTransient where there is no answer. Of a long answer only the beginning is kept.
        Errors, trace and the response name only the host, since a webhook's URL is its password. Every post has its own
        connection: on one that was kept, a failure wouldn't tell whether the host had taken the message.
        """
        call = Call(self.limits, math.inf, secret=True)
        target = call.parsed(url)
        sent = self._headers(
            call, {"content-type": "application/json", "accept-encoding": "identity", **(headers or {})}
        )
        answer = self._exchange(Request("POST", target, sent, body), call)
        return Response(
            url=call.url,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            elapsed=call.elapsed,
            trace=tuple(call.steps),
        )

    def close(self) -> None:
        """Let go of the idle connections."""
        self._connections.close()

    __del__ = close

    def _headers(self, call: Call, headers: Mapping[str, str] | None) -> dict[str, str]:
        given = {name.lower(): value for name, value in (headers or {}).items()}
        for name, value in given.items():
            if not _TOKEN.fullmatch(name) or CONTROLS.search(value) or not value.isascii():
                raise call.refused("bad-header", name)
        return {**self._defaults, **given}

    def _failed(self, answer: Answer, call: Call) -> FetchError:
        """The error that an answer without a page amounts to."""
        status = answer.status
        reason = f"http-{status}"
        if status in _DENIED:
            return call.failed(FetchDenied, reason, status=status)
        if status == 304:
            return call.failed(FetchTransient, "unasked-304", "to an unconditional request", status=status)
        if status in _TRANSIENT or status >= 500 or status < 200:
            error = call.failed(FetchTransient, reason, status=status)
            error.retry_after = retry_after(answer.headers.get("retry-after", ""), self._clock())
            error.host_wide = status in (429, 503)
            return error
        if 400 <= status < 500:
            return call.failed(FetchGone, reason, status=status)
        return call.refused(reason, status=status)

    def _exchange(self, request: Request, call: Call) -> Answer:
        """One request and its answer; a kept connection that the host has let go of meanwhile is tried once."""
        origin = origin_of(request.target)
        try:
            if request.method == "GET" and (connection := self._connections.kept(origin)):
                try:
                    answer = ask(connection, request, call)
                except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
                    call.note("reconnect", str(error))
                else:
                    self._connections.keep(connection)
                    return answer
            connection = self._connections.new(origin)
            answer = ask(connection, request, call)
        except LOWER as error:
            raise call.translated(error) from error
        self._connections.keep(connection)
        return answer
