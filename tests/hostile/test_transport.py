"""Answers that lie, drip, flood, explode or break off: each ends in time, in bounds, and with its name."""

import gzip
import json
import socket
import ssl
import subprocess
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import brotli
import pytest
import zstandard
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broadsheet import fetch
from broadsheet.fetch import (
    Client,
    FetchError,
    FetchGone,
    FetchRefused,
    FetchTransient,
    Limits,
    Response,
    sockets,
)
from tests.hostile.loopback import Answer, Asked, Server, answer, hang_up, script, serving

# As strict as a test needs to be quick; bytes as in production.
LIMITS = Limits(connect_seconds=1.0, first_byte_seconds=0.5, total_seconds=0.7)
HEAD = b"HTTP/1.1 200 OK\r\n"
_PEM = serialization.Encoding.PEM
MEMORY = 100 * 2**20  # bytes a bomb may take beside the interpreter: the body, twice decoded, and the decoder's window


def get(server: Server, path: str = "/", limits: Limits = LIMITS) -> Response:
    client = Client(user_agent="t", allowed_networks=[server.endpoint], limits=limits)
    return client.get(server.url(path))


def failure(say: Answer, kind: type[FetchError], reason: str, tls: ssl.SSLContext | None = None) -> FetchError:
    """The error that fetching from a server that speaks so ends with."""
    with serving(say, tls) as server, pytest.raises(kind) as caught:
        get(server)
    assert caught.value.reason == reason, repr(caught.value)
    return caught.value


def dripping(first: bytes, drop: bytes) -> Answer:
    """Sends `first`, then a drop every 50 ms for ever."""

    def drip(asked: Asked, sock: socket.socket) -> bool:
        sock.sendall(first)
        stop = threading.Event()
        while not stop.wait(0.05):
            sock.sendall(drop)  # ends with an OSError when the client has gone
        return False

    return drip


def saying(*parts: bytes) -> Answer:
    """Sends the parts, then hangs up."""

    def speak(asked: Asked, sock: socket.socket) -> bool:
        for part in parts:
            sock.sendall(part)
        return False

    return speak


def endless(first: bytes, again: bytes) -> Answer:
    """Sends `first`, then `again` as fast as it is taken."""

    def pour(asked: Asked, sock: socket.socket) -> bool:
        sock.sendall(first)
        while True:
            sock.sendall(again)

    return pour


class TestTime:
    @pytest.mark.parametrize(
        ("first", "drop"),
        [
            (b"", b"H"),  # the status line
            (HEAD, b"x"),  # a header's name
            (HEAD, b"X-A: b\r\n"),  # header after header
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            (HEAD + b"Content-Length: 1000\r\n\r\n", b"x"),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1"),  # a chunk's size
            (HEAD + b"\r\n", b"x"),  # until the connection closes
        ],
    )
    def test_dripping(self, first: bytes, drop: bytes) -> None:
        error = failure(dripping(first, drop), FetchTransient, "timeout")
        assert isinstance(error, FetchTransient)
        assert error.host_wide

    def test_dripping_after_an_error_costs_a_second_at_most(self) -> None:
        say = dripping(b"HTTP/1.1 404 Not Found\r\nContent-Length: 1000\r\n\r\n", b"x")
        with serving(say) as server, pytest.raises(FetchGone) as caught:
            get(server, limits=Limits(total_seconds=20))
        assert caught.value.trace[-1].at < 5

    def test_silence(self) -> None:
        """A listener that never answers, and one that greets no TLS."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            for scheme in ("http", "https"):
                client = Client(user_agent="t", allowed_networks=["127.0.0.0/8"], limits=LIMITS)
                with pytest.raises(FetchTransient, match="timeout"):
                    client.get(f"{scheme}://127.0.0.1:{port}/")

    def test_a_resolver_that_never_answers(self) -> None:
        asleep = threading.Event()

        def resolve(host: str, port: int) -> list[fetch.Endpoint]:
            asleep.wait(20)
            return []

        client = Client(user_agent="t", resolve=resolve, limits=Limits(connect_seconds=0.2))
        with pytest.raises(FetchTransient, match="timeout"):
            client.get("http://news.example/")
        asleep.set()

    def test_the_total_counts_all_hops(self) -> None:
        def slowly(asked: Asked, sock: socket.socket) -> bool:
            threading.Event().wait(0.25)
            sock.sendall(answer(status="302 On", headers={"Location": asked.path + "x"}))
            return True

        failure(slowly, FetchTransient, "timeout")


class TestSize:
    @pytest.mark.parametrize(
        ("first", "again"),
        [
            (HEAD, b"X: y\r\n"),  # headers without number
            (HEAD + b"X: ", b"y" * 4096),  # one without end
            (b"HTTP/1.1 ", b"2" * 4096),  # a status line without end
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
            (HEAD + b"\r\n", b"x" * 65536),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 4096),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"e" * 60_000 + b"\r\nx\r\n"),  # extensions
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"T: railer\r\n" * 1000),
        ],
    )
    def test_without_end(self, first: bytes, again: bytes) -> None:
        with serving(endless(first, again)) as server, pytest.raises(FetchRefused) as caught:
            get(server, limits=Limits())
        assert caught.value.reason == "too-large"

    def test_in_too_many_pieces(self) -> None:
        crumbs = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 60_000 + b"0\r\n\r\n"
        with serving(saying(crumbs)) as server, pytest.raises(FetchRefused, match="pieces"):
            get(server, limits=Limits())

    def test_announced(self) -> None:
        failure(saying(HEAD + b"Content-Length: 9000000000\r\n\r\n"), FetchRefused, "too-large")

    def test_up_to_the_limit(self) -> None:
        limits = Limits(body_bytes=1000, decoded_bytes=3000)
        answers = {
            "/1000": answer(b"x" * 1000),
            "/1001": answer(b"x" * 1001),
            "/chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
            "/3000": answer(gzip.compress(b"x" * 3000), headers={"Content-Encoding": "gzip"}),
            "/3001": answer(gzip.compress(b"x" * 3001), headers={"Content-Encoding": "gzip"}),
        }
        with serving(script(answers)) as server:
            assert len(get(server, "/1000", limits).body) == 1000
            assert len(get(server, "/3000", limits).body) == 3000
            for path in ("/1001", "/chunked", "/3001"):
                with pytest.raises(FetchRefused, match="too-large"):
                    get(server, path, limits)

    def test_bombs_in_little_memory(self, say: Callable[[str], None]) -> None:
        """A gibibyte from one mebibyte of gzip, and its kin, each met by a fresh process whose memory is watched."""
        bombs = {
            "gzip": _gzip_of_zeros(2**30),
            "deflate": _BOMBS["deflate-bomb"](),
            "br": _BOMBS["brotli-bomb"](),
            "zstd": zstandard.compress(b"\0" * 2**28),
            "gzip, gzip": _BOMBS["gzip-nested"](),
        }
        with ExitStack() as stack:
            urls = []
            for coding, body in bombs.items():
                server = stack.enter_context(serving(script({"/": answer(body, headers={"Content-Encoding": coding})})))
                urls.append(server.url())
            for (coding, body), (reason, memory) in zip(bombs.items(), _fetched_apart(urls), strict=True):
                say(f"bomb {coding}: {len(body):,} bytes on the wire, {reason}, {memory / 2**20:.0f} MiB")
                assert reason == "too-large"
                assert memory < MEMORY


class TestBroken:
    @pytest.mark.parametrize(
        "said",
        [
            HEAD + b"Content-Length: 10000\r\n\r\n" + b"x" * 5000,
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\nshort",
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
            answer(gzip.compress(b"word " * 1000)[:-20], headers={"Content-Encoding": "gzip"}),
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"\x00\x01\x02\r\n\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 99 Low\r\n\r\n",
            b"HTTP/1.1\r\n\r\n",
        ],
    )
    def test_is_transient(self, said: bytes) -> None:
        error = failure(saying(said), FetchTransient, "incomplete")
        assert isinstance(error, FetchTransient)
        assert not error.host_wide, "one page's defect says nothing of its host"

    @pytest.mark.parametrize("said", [b"HTTP/2.0 200 OK\r\n\r\n", HEAD + b"Content-Length: 5, 6\r\n\r\nhello"])
    def test_protocols_we_do_not_speak(self, said: bytes) -> None:
        failure(saying(said), FetchTransient, "protocol")

    @pytest.mark.parametrize("status", ["101 Switching Protocols", "103 Early Hints"])
    def test_an_interim_answer_is_none(self, status: str) -> None:
        failure(saying(f"HTTP/1.1 {status}\r\n\r\n".encode()), FetchTransient, f"http-{status[:3]}")

    def test_nothing_is_asked_after_an_interim_answer(self) -> None:
        """The final answer may still come, and would be taken for the next one's."""
        with serving(script({"/": b"HTTP/1.1 103 Early Hints\r\n\r\n", "/b": answer(b"good")})) as server:
            client = Client(user_agent="t", allowed_networks=[server.endpoint])
            with pytest.raises(FetchTransient):
                client.get(server.url())
            assert client.get(server.url("/b")).body == b"good"
        assert server.connections == 2

    def test_hanging_up(self) -> None:
        failure(hang_up, FetchTransient, "connection")

    def test_more_than_announced_stays_on_its_connection(self) -> None:
        """The surplus is no answer to the next request."""
        lie = answer(b"0123456789") + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad" * 5000
        with serving(script({"/a": lie, "/b": answer(b"good")})) as server:
            client = Client(user_agent="t", allowed_networks=[server.endpoint])
            assert client.get(server.url("/a")).body == b"0123456789"
            assert client.get(server.url("/b")).body == b"good"

    def test_raw_utf8_in_a_redirect(self) -> None:
        moved = b"HTTP/1.1 301 M\r\nContent-Length: 0\r\nLocation: /\xe6\x96\xb0\xe8\x81\x9e?q=a b\r\n\r\n"
        with serving(script({"/": moved, "/%E6%96%B0%E8%81%9E?q=a%20b": answer(b"news")})) as server:
            assert get(server).body == b"news"


class Authority:
    """A certificate authority of our own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.path = directory / "ca.pem"
        self.path.write_bytes(self._certificate("authority", self.key, ca=True).public_bytes(_PEM))

    def server(self, *, days: int = 1, address: str = "127.0.0.1") -> ssl.SSLContext:
        """A server's side of TLS, with a certificate for `address` that ends in `days`."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate("server", key, days=days, address=address)
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path = self.directory / "server.pem"
        path.write_bytes(certificate.public_bytes(_PEM) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _certificate(
        self, name: str, key: ec.EllipticCurvePrivateKey, *, ca: bool = False, days: int = 1, address: str = "127.0.0.1"
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))]), critical=False)
            .sign(self.key, hashes.SHA256())
        )


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """Trusted the way an operator would have an authority trusted: by OpenSSL's own variable."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    sockets.tls_context.cache_clear()
    yield authority
    sockets.tls_context.cache_clear()


class TestTls:
    def test_a_good_certificate(self, authority: Authority) -> None:
        with serving(script({"/": answer(b"safe")}), authority.server()) as server:
            client = Client(user_agent="t", allowed_networks=[server.endpoint])
            assert client.get(server.url()).body == b"safe"
            kept = client.get(server.url())
        assert "kept" in [step.what for step in kept.trace]
        assert any("TLSv1" in step.detail for step in kept.trace)

    def test_an_expired_one(self, authority: Authority) -> None:
        error = failure(script({"/": answer()}), FetchTransient, "tls", authority.server(days=-1))
        assert isinstance(error, FetchTransient)
        assert error.host_wide

    def test_another_hosts(self, authority: Authority) -> None:
        failure(script({"/": answer()}), FetchTransient, "tls", authority.server(address="127.0.0.2"))

    def test_a_strangers(self, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SSL_CERT_FILE")
        sockets.tls_context.cache_clear()
        failure(script({"/": answer()}), FetchTransient, "tls", authority.server())

    @pytest.mark.parametrize(
        ("first", "drop"), [(b"", b"H"), (HEAD + b"Content-Length: 1000\r\n\r\n", b"x"), (HEAD, b"X: y\r\n")]
    )
    def test_dripping(self, authority: Authority, first: bytes, drop: bytes) -> None:
        failure(dripping(first, drop), FetchTransient, "timeout", authority.server())

    def test_a_flood_of_headers(self, authority: Authority) -> None:
        say = endless(HEAD + b"X: ", b"y" * 4096)
        with serving(say, authority.server()) as server, pytest.raises(FetchRefused, match="too-large"):
            get(server, limits=Limits())

    def test_a_handshake_that_drips(self, authority: Authority) -> None:
        """A record's header, then its body byte by byte."""
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def drip() -> None:
                sock, _ = listener.accept()
                with sock:
                    stop = threading.Event()
                    try:
                        sock.sendall(b"\x16\x03\x03\x40\x00")
                        while not stop.wait(0.05):
                            sock.sendall(b"\x00")
                    except OSError:
                        pass  # the client has gone

            threading.Thread(target=drip, daemon=True).start()
            client = Client(user_agent="t", allowed_networks=["127.0.0.0/8"], limits=LIMITS)
            with pytest.raises(FetchTransient) as caught:
                client.get(f"https://127.0.0.1:{listener.getsockname()[1]}/")
        assert caught.value.reason in ("timeout", "tls")

    def test_no_step_down_with_credentials(self, authority: Authority) -> None:
        with serving(script({"/": answer(b"plain")})) as plain:
            say = script({"/": answer(status="302 M", headers={"Location": plain.url()})})
            with serving(say, authority.server()) as server:
                client = Client(user_agent="t", allowed_networks=["127.0.0.0/8"])
                with pytest.raises(FetchRefused, match="downgrade-refused"):
                    client.get(server.url(), headers={"Authorization": "Bearer 1"})
                assert not plain.asked
                assert client.get(server.url()).body == b"plain"


def test_transport_cases(
    corpus: Callable[[str], list[dict[str, Any]]], say: Callable[[str], None], authority: Authority
) -> None:
    """Every case: an answer, or an error of ours. What it should be stands in `EXPECTED`."""
    counted: Counter[str] = Counter()
    for case in corpus("transport.jsonl"):
        outcome = _outcome(case, authority)
        assert outcome == EXPECTED[case["sub"]], f"{case['id']}: {outcome}"
        counted["safe"] += 1
    assert counted.total() == 30
    say(f"hostile/transport: {counted['safe']} of {counted.total()} safe")


# Outcomes that are safe: an error's class and reason, or the length of the body. The last three are the business of
# those who compare answers over time; here they are plain answers.
EXPECTED: dict[str, str] = {
    "gzip-1GiB": "FetchRefused too-large",
    "gzip-nested": "FetchRefused too-large",
    "deflate-bomb": "FetchRefused too-large",
    "brotli-bomb": "FetchRefused too-large",
    "zstd-bomb": "FetchRefused too-large",
    "gzip-multimember-bomb": "FetchRefused too-large",
    "gzip-truncated": "body ",  # all of it is cut away
    "gzip-trailing-garbage": "body <html><title>T</title><p>ok</p>",
    "gzip-claimed-plain": "FetchRefused encoding",
    "gz-body-undeclared": "body <html><title>T</title></html>",
    "raw-deflate": "body <html><title>T</title>",
    "unknown-encoding": "FetchRefused encoding",
    "slow-body": "FetchTransient timeout",
    "short-body": "FetchTransient incomplete",
    "long-body": "body xxxxxxxxxx",
    "bad-chunk": "FetchTransient incomplete",
    "header-flood": "FetchRefused too-large",
    "redirect-loop": "FetchRefused too-many-redirects",
    "redirect-chain-50": "FetchRefused too-many-redirects",
    "redirect-no-location": "FetchRefused redirect-without-location",
    "redirect-utf8-location": "body found",
    "retry-after-10-years": "FetchTransient http-429 86400.0",
    "retry-after-garbage": "FetchTransient http-429",
    "401-403": "FetchDenied http-401",
    "304-without-cache": "FetchTransient unasked-304",
    "tls-expired": "FetchTransient tls",
    "tls-wrong-host": "FetchTransient tls",
    "host-flap": "FetchTransient http-503",
    "etag-weak-changes": "body same",
    "200-login-wall": "body log in",
}

_CERTIFICATES: dict[str, dict[str, Any]] = {"tls-expired": {"days": -1}, "tls-wrong-host": {"address": "127.0.0.2"}}
_SERVERS: dict[str, Answer] = {
    "slow-body": dripping(HEAD + b"Content-Length: 1000\r\n\r\n", b"x"),
    "short-body": saying(HEAD + b"Content-Length: 10000\r\n\r\n" + b"x" * 5000),
    "long-body": saying(HEAD + b"Content-Length: 10\r\n\r\n" + b"x" * 10_000),
    "bad-chunk": saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    "header-flood": saying(HEAD, b"X: y\r\n" * 10_000, b"\r\n"),
    "redirect-loop": script(
        {p: answer(status="302 F", headers={"Location": q}) for p, q in (("/", "/b"), ("/b", "/"))}
    ),
    "redirect-chain-50": script(
        {f"/{'x' * n}": answer(status="301 M", headers={"Location": f"/{'x' * (n + 1)}"}) for n in range(50)}
    ),
    "redirect-no-location": script({"/": answer(status="302 Found")}),
    "redirect-utf8-location": script(
        {
            "/": answer(status="301 M", headers={"Location": "/\u00e6\u0096\u00b0"}),
            "/%C3%A6%C2%96%C2%B0": answer(b"found"),
        }
    ),
    "retry-after-10-years": script({"/": answer(status="429 Slow", headers={"Retry-After": "315360000"})}),
    "retry-after-garbage": script({"/": answer(status="429 Slow", headers={"Retry-After": "soon"})}),
    "401-403": script({"/": answer(status="401 No")}),
    "304-without-cache": script({"/": answer(status="304 Same")}),
    "tls-expired": script({"/": answer(b"private")}),
    "tls-wrong-host": script({"/": answer(b"private")}),
    "host-flap": script({"/": answer(status="503 Busy")}),
    "etag-weak-changes": script({"/": answer(b"same", headers={"ETag": 'W/"1"'})}),
    "200-login-wall": script({"/": answer(b"log in")}),
}


def _outcome(case: dict[str, Any], authority: Authority) -> str:
    generated = case.get("gen")
    if generated:
        body = _BOMBS[case["sub"]]() if case["sub"] in _BOMBS else eval(generated)
        server_says = script({"/": answer(body, headers=case["headers"])})
    else:
        server_says = _SERVERS[case["sub"]]
    limits = LIMITS if case["sub"] == "slow-body" else Limits()
    certified = _CERTIFICATES.get(case["sub"])
    with serving(server_says, authority.server(**certified) if certified else None) as server:
        try:
            return f"body {get(server, limits=limits).body.decode()}"
        except FetchError as error:
            wait = getattr(error, "retry_after", None)
            return f"{type(error).__name__} {error.reason}" + (f" {wait}" if wait is not None else "")


def _deflated_zeros(size: int) -> bytes:
    """Deflate blocks of a mebibyte each; what ends the stream is left out, since nobody should get there."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = compressor.compress(b"\0" * 2**20) + compressor.flush(zlib.Z_FULL_FLUSH)
    return block * (size // 2**20)


def _gzip_of_zeros(size: int) -> bytes:
    return gzip.compress(b"")[:10] + _deflated_zeros(size)


# What the corpus compresses, compressed in a hundredth of the time.
_BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip-1GiB": lambda: _gzip_of_zeros(2**30),
    "gzip-nested": lambda: gzip.compress(_gzip_of_zeros(2**28)),
    "deflate-bomb": lambda: zlib.compress(b"")[:2] + _deflated_zeros(2**28),
    "brotli-bomb": lambda: brotli.compress(b"\0" * 2**28, quality=1),
}

_APART = """
import json, re, resource, sys
from broadsheet.fetch import Client, FetchError

def peak():
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Not ru_maxrss: on Linux a child begins with its parent's.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

client = Client(user_agent="t", allowed_networks=["127.0.0.0/8"])
before = peak()
try:
    reason = client.get(sys.argv[1]).status
except FetchError as error:
    reason = error.reason
print(json.dumps([reason, peak() - before]))
"""


def _fetched_apart(urls: list[str]) -> Iterator[tuple[str, int]]:
    """How each fetch ends in a process of its own, and by how many bytes that grew."""
    for url in urls:
        done = subprocess.run(
            [sys.executable, "-c", _APART, url],
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
            env={"PYTHONPATH": str(Path(fetch.__file__).parents[2])},
        )
        reason, memory = json.loads(done.stdout)
        yield reason, memory
