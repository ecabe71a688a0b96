"""Public and other addresses, in every spelling."""

from ipaddress import ip_address

import pytest

from broadsheet.addresses import is_public

_REFUSED = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16
169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.7 192.31.196.1 192.52.193.1 192.88.99.1
192.168.1.1 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.9 224.0.0.1 239.1.2.3 240.0.0.1
255.255.255.255
:: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:a9fe:a9fe ::ffff:0:8.8.8.8 64:ff9b::8.8.8.8 64:ff9b:1::1 100::1
2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:808:808::1
2002:7f00:1::1 2620:4f:8000::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1
2606:4700:4700::1111%eth0
"""

_SPELT = """
2130706433 0x7f000001 0x7f.1 0x7F.0.0.0x1 0177.0.0.1 00000177.0.0.1 127.1 127.0.1 0 0x 017700000001 127.0.0.1.
2852039166 0xA9FEA9FE 0251.0376.0251.0376 0xa9.254.0xa9.254 192.168.257 256
[::1] [::ffff:127.0.0.1] 0:0:0:0:0:ffff:7f00:1 ::FFFF:7F00:0001 [fe80::1%25eth0]
"""

GARBAGE = [
    "",
    " ",
    "localhost",
    "example.org",
    "8.8.8.8:80",
    "[2606:4700::1]:80",
    "8.8.8.8/32",
    " 8.8.8.8",
    "8.8.8.8\n",
    "8.8.8.8#",
    "8.8.8.8@1.1.1.1",
    "1.2.3.4.5",
    "256.1.1.1",
    "4294967296",
    "8.8..8",
    "８.８.８.８",
    "[8.8.8.8]",
    "[::1",
    "::ffff:8.8.8.8:80",
    ":::",
    "f" * 10_000,
    "1" * 10_000,
    ":" * 10_000,
    "\x00",
    "\ud800",
]


@pytest.mark.parametrize("address", _REFUSED.split() + _SPELT.split())
def test_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", GARBAGE)
def test_garbage_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "144.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "168.63.129.15",
        "134744072",
        "0x8080808",
        "010.010.010.010",  # octal, which is how inet_aton and browsers read it: 8.8.8.8
        "::ffff:8.8.8.8",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
        "[2606:4700:4700::1111]",
        "2a00:1450:4001:81b::200e",
        "3ffe::1",
    ],
)
def test_public(address: str) -> None:
    assert is_public(address)


def test_nothing_passes_that_python_refuses() -> None:
    """Every /16 of IPv4 and a spread of IPv6: stricter than `is_global`, never laxer."""
    addresses = [ip_address(high << 16 | 1) for high in range(2**16)]
    addresses += [ip_address(high << 112 | low) for high in range(0, 2**16, 7) for low in (1, 1 << 80 | 5)]
    laxer = [str(a) for a in addresses if is_public(str(a)) and (not a.is_global or a.is_multicast)]
    assert not laxer
