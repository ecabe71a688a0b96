"""Which IP addresses belong to the public internet: the only ones a fetch may connect to.

Python's own `is_global` answers another question (it lets multicast, NAT64, 6to4 and site-local addresses pass, and
its tables differ between patch releases), so the tables are here: the IANA special-purpose registries for IPv4 and
IPv6, read 2026-11, whatever they say about "globally reachable", because nothing in them serves news.
"""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

import ada_url

_REFUSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata is 100.100.100.200
        "127.0.0.0/8",  # loopback; the Lambda runtime API is 127.0.0.1:9001
        "168.63.129.16/32",  # Azure's platform address: public by number, inside the host by routing
        "169.254.0.0/16",  # link-local; EC2's and ECS's metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata is 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast tunnelling
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_UNICAST_V6 = IPv6Network("2000::/3")  # all that IANA has handed out; mapped, NAT64, local and multicast are outside
_REFUSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address of any kind inside
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_NUMERIC = re.compile(r"[0-9a-fx.]{1,128}", re.ASCII | re.IGNORECASE)


@lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Whether `address` is a public unicast address.

    Takes every spelling a URL parser or a resolver gives: dotted, decimal, octal, hexadecimal and shortened IPv4,
    IPv6 with or without brackets, IPv4 inside IPv6 (judged as the IPv4 address it reaches). False for all else:
    names, ports, zones, garbage.
    """
    parsed = parse(address)
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _REFUSED_V4)
    if isinstance(parsed, IPv6Address) and parsed.scope_id is None:
        return parsed in _UNICAST_V6 and not any(parsed in network for network in _REFUSED_V6)
    return False


def parse(address: str) -> IPv4Address | IPv6Address | None:
    """The address that a text spells, mapped IPv4 unwrapped; None if it spells none."""
    if ":" in address:
        try:
            v6 = IPv6Address(address[1:-1] if address[:1] + address[-1:] == "[]" else address)
        except AddressValueError:
            return None
        return v6.ipv4_mapped if v6.ipv4_mapped and v6.scope_id is None else v6
    if not _NUMERIC.fullmatch(address):
        return None
    try:  # WHATWG's host parser knows the spellings that inet_aton and browsers take, and says which address they mean
        return IPv4Address(ada_url.URL(f"http://{address}/").hostname)
    except (AddressValueError, ValueError):
        return None
