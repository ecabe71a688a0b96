"""The way out: which addresses are connected to, judged as the resolver gives them and again as they are reached."""

import re
import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from queue import Empty, SimpleQueue
from typing import TypeAlias

from broadsheet import addresses
from broadsheet.fetch import sockets
from broadsheet.fetch.call import Call
from broadsheet.fetch.errors import Refusal
from broadsheet.fetch.sockets import Endpoint, TimedSocket, left

# Public hosts serve the web on these. Any other port is another protocol, to which a request of ours would be an attack
# in the name of whoever wrote the link.
_WEB_PORTS = frozenset((80, 443, *range(8000, 9000)))
_MAX_ADDRESSES = 4  # of one host's, tried in turn
_ENDPOINT = re.compile(r"([0-9.]+|\[[0-9A-Fa-f:.]+\]):([0-9]+)")

Resolve: TypeAlias = Callable[[str, int], Sequence[Endpoint]]


class Gate:
    """The way out: opens sockets to the addresses that may be connected to."""

    def __init__(self, allowed: Sequence[str], resolve: Resolve, seconds: float) -> None:
        self._resolve = resolve
        self._seconds = seconds
        self._networks = [ip_network(text) for text in allowed if not _ENDPOINT.fullmatch(text)]
        self._endpoints = {
            (str(ip_address(match[1].strip("[]"))), int(match[2]))
            for text in allowed
            if (match := _ENDPOINT.fullmatch(text))
        }
        self.tls = sockets.tls_context()

    def connect(self, host: str, port: int, call: Call) -> TimedSocket:
        """A socket connected to `host`, all of whose addresses may be connected to."""
        until = call.within(self._seconds)
        web = port in _WEB_PORTS
        if not web and not self._networks and not self._endpoints:
            raise Refusal("port-refused", str(port))
        if addresses.parse(host) is not None and not self.admits((host, port)):
            raise Refusal("address-refused", host)
        found = _resolved(self._resolve, host, port, until)
        call.note("resolved", f"{host} is {', '.join(address for address, _ in found) or 'nowhere'}")
        for endpoint in found:
            if not self.admits(endpoint):
                raise Refusal("address-refused", f"{host} is {endpoint[0]}")
        if not web and not all(self._exempt(endpoint) for endpoint in found):
            raise Refusal("port-refused", str(port))
        failure: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
        tried = found[:_MAX_ADDRESSES]
        for number, endpoint in enumerate(tried):
            try:
                sock = sockets.dialled(endpoint, left(until) / (len(tried) - number))
            except OSError as error:
                failure = error
                continue
            peer = sock.getpeername()
            if not self.admits((str(peer[0]), int(peer[1]))):
                sock.close()
                raise Refusal("address-refused", f"{host} led to {peer[0]}")
            sock.settimeout(left(until))
            return sock
        raise failure

    def admits(self, endpoint: Endpoint) -> bool:
        return addresses.is_public(endpoint[0]) or self._exempt(endpoint)

    def _exempt(self, endpoint: Endpoint) -> bool:
        address = addresses.parse(endpoint[0])
        if address is None:
            return False
        return (str(address), endpoint[1]) in self._endpoints or any(address in network for network in self._networks)


def resolve(host: str, port: int) -> list[Endpoint]:
    """The system's answer to where `host` is. Raises socket.gaierror."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((str(sockaddr[0]), int(sockaddr[1])) for *_, sockaddr in found))


def _resolved(resolve: Resolve, host: str, port: int, until: float) -> Sequence[Endpoint]:
    """What `resolve` answers in time. In a thread of its own, since getaddrinfo takes no time limit."""
    outcome: SimpleQueue[Sequence[Endpoint] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            outcome.put(resolve(host, port))
        except Exception as error:  # noqa: BLE001 - it is raised again, below, in the thread that waits for it
            outcome.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        found = outcome.get(timeout=left(until))
    except Empty:
        raise TimeoutError("no answer from the resolver") from None
    if isinstance(found, Exception):
        raise found
    return found
