"""The world's HTTP: one request at a time, to the public internet only, within limits.

    FetchError            .url .reason .status .trace
    ├── FetchRefused      we won't: address, scheme, port, size, redirects, coding; permanent
    ├── FetchDenied       401, 402, 403, 451: the host knows the page and doesn't give it to us; permanent
    ├── FetchGone         404, 410 and every other 4xx: the host has no such page; permanent
    └── FetchTransient    come back: 408, 421, 423, 425, 429, 5xx, 202, time-outs, DNS, TLS, broken answers
                          .retry_after .host_wide .sent

Reasons: `http-<status>` for an answer's status; refused: `bad-url`, `bad-header`, `scheme-refused`, `port-refused`,
`address-refused`, `too-large`, `too-many-redirects`, `redirect-without-location`, `downgrade-refused`, `encoding`;
transient: `timeout`, `deadline`, `dns`, `connection`, `tls`, `incomplete`, `protocol`, `unasked-304`.

A connection goes to an address that was just resolved and judged, and the address it reached is judged again, so a
second DNS answer changes nothing. Nothing comes from the environment: no proxies, no .netrc, no cookies.

`client` tells the story of a get and of a post; `exchange` is one request over one connection, `connections` are opened
and kept, through the `gate` that judges addresses, over `sockets` that keep time and measure; `call` is what one fetch
has cost so far, `answers` what it brought, `errors` what went wrong.
"""

from broadsheet.fetch.answers import LINES, RETRY_AFTER_CAP, Response, Validators, retry_after
from broadsheet.fetch.call import Limits
from broadsheet.fetch.client import VERSION, Client, user_agent
from broadsheet.fetch.errors import FetchDenied, FetchError, FetchGone, FetchRefused, FetchTransient, Step, Trace
from broadsheet.fetch.gate import resolve
from broadsheet.fetch.sockets import Endpoint

__all__ = [
    "LINES",
    "RETRY_AFTER_CAP",
    "VERSION",
    "Client",
    "Endpoint",
    "FetchDenied",
    "FetchError",
    "FetchGone",
    "FetchRefused",
    "FetchTransient",
    "Limits",
    "Response",
    "Step",
    "Trace",
    "Validators",
    "resolve",
    "retry_after",
    "user_agent",
]
