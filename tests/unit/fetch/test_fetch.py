"""The client against a server on this machine: answers, redirects, connections, posts."""

import gzip
import socket
import threading
import time
import tomllib
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broadsheet import fetch
from broadsheet.fetch import Client, FetchError, FetchRefused, FetchTransient, Limits, Validators
from broadsheet.fetch.gate import Gate
from tests.hostile.loopback import Asked, Names, Server, answer, hang_up, script, serving

PAGE = answer(b"<p>Hello</p>", headers={"Content-Type": 'Text/HTML; Charset="GB2312"', "ETag": '"1"'})


@pytest.fixture
def client_for() -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(*servers: Server, **options: object) -> Client:
        allowed = [server.endpoint for server in servers]
        client = Client(user_agent="Broadsheet/0 (+test)", allowed_networks=allowed, **options)  # type: ignore[arg-type]  # options are checked where they are used
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


def test_a_page(client_for: Callable[..., Client]) -> None:
    with serving(script({"/a?b=%C3%A9": PAGE})) as server:
        response = client_for(server).get(server.url("/a?b=é#part"))
    assert response.status == 200
    assert response.body == b"<p>Hello</p>"
    assert response.url == server.url("/a?b=%C3%A9")
    assert (response.content_type, response.charset, response.headers["etag"]) == ("text/html", "gb2312", '"1"')
    assert (response.redirects, response.permanent_url) == ((), None)
    assert response.elapsed > 0
    assert [step.what for step in response.trace] == ["resolved", "connected", "answer", "body"]
    asked = server.asked[0]
    assert asked.headers["user-agent"] == "Broadsheet/0 (+test)"
    assert asked.headers["host"] == server.endpoint
    assert asked.headers["accept-encoding"] == "gzip, deflate, br, zstd"
    assert "cookie" not in asked.headers


@pytest.mark.parametrize(
    ("declared", "charset"),
    [
        ("text/html;charset=UTF-8", "utf-8"),
        ("text/html; charset='big5'; x=y", "big5"),
        ('text/html; a=b ; CHARSET = " euc-kr "', "euc-kr"),
        ("text/html; charset=", None),
        ("text/html", None),
        ("", None),
        ("charset=utf-8", None),
    ],
)
def test_charset(declared: str, charset: str | None) -> None:
    response = fetch.Response(url="u", status=200, headers={"content-type": declared}, body=b"")
    assert response.charset == charset


def test_headers_of_the_caller_go_over_ours(client_for: Callable[..., Client]) -> None:
    with serving(script({"/": PAGE})) as server:
        client_for(server).get(server.url(), headers={"user-agent": "Special/1", "Accept-Language": "zh"})
    assert server.asked[0].headers["user-agent"] == "Special/1"
    assert server.asked[0].headers["accept-language"] == "zh"


def test_headers_sent_in_several_lines(client_for: Callable[..., Client]) -> None:
    told = {"X-Robots-Tag": "noarchive", "X-ROBOTS-TAG": "nofollow", "ETag": '"1"', "ETAG": '"2"'}
    with serving(script({"/": answer(b"", headers=told)})) as server:
        headers = client_for(server).get(server.url()).headers
    assert (headers["x-robots-tag"], headers["etag"]) == ("noarchive,\nnofollow", '"2"')


def test_an_unchanged_page(client_for: Callable[..., Client]) -> None:
    with serving(script({"/": answer(status="304 Not Modified")})) as server:
        client = client_for(server)
        response = client.get(server.url(), headers=Validators(etag='"1"').headers)
        assert server.asked[0].headers["if-none-match"] == '"1"'
        assert (response.status, response.body) == (304, b"")
        with pytest.raises(FetchTransient, match="unasked-304"):
            client.get(server.url())
    assert server.connections == 1


@pytest.mark.parametrize(
    ("told", "headers"),
    [
        ({}, {}),
        ({"etag": '"1"'}, {"If-None-Match": '"1"'}),
        ({"last-modified": "yesterday"}, {"If-Modified-Since": "yesterday"}),
        ({"etag": 'W/"a b"', "last-modified": "now"}, {"If-None-Match": 'W/"a b"', "If-Modified-Since": "now"}),
        ({"etag": '"\xe9"', "last-modified": "a\tb"}, {}),  # what the client would refuse to send
        ({"etag": "", "last-modified": "x" * 1001}, {}),  # nor is a header to outgrow a record
    ],
)
def test_what_an_answer_gives_asks_whether_its_page_has_changed(told: dict[str, str], headers: dict[str, str]) -> None:
    response = fetch.Response(url="u", status=200, headers=told, body=b"")
    assert response.validators.headers == headers


class TestRedirects:
    @pytest.mark.parametrize(
        ("first", "second", "permanent"),
        [(301, 308, True), (308, 301, True), (301, 302, False), (302, 301, False), (303, 307, False)],
    )
    def test_are_followed(self, first: int, second: int, permanent: bool, client_for: Callable[..., Client]) -> None:
        def to(status: int, where: str) -> bytes:
            return answer(b"moved", f"{status} Moved", {"Location": where})

        answers = {"/a": to(first, "b?c"), "/d": PAGE}
        with serving(script(answers)) as server:
            answers["/b?c"] = to(second, f"//{server.endpoint}/d#e")
            response = client_for(server).get(server.url("/a"))
        assert response.url == server.url("/d")
        assert response.redirects == ((first, server.url("/b?c")), (second, server.url("/d")))
        assert response.permanent_url == (server.url("/d") if permanent else None)
        assert server.connections == 1, "short answers are read to their end, and the connection kept"

    def test_end_after_five(self, client_for: Callable[..., Client]) -> None:
        def on(asked: Asked, sock: socket.socket) -> bool:
            number = int(asked.path[1:])
            sock.sendall(PAGE if number == 0 else answer(status="302 On", headers={"Location": f"/{number - 1}"}))
            return True

        with serving(on) as server:
            client = client_for(server)
            assert len(client.get(server.url("/5")).redirects) == 5
            with pytest.raises(FetchRefused, match="too-many-redirects"):
                client.get(server.url("/6"))
        assert len(server.asked) == 12

    @pytest.mark.parametrize(
        ("location", "reason"),
        [
            ("file:///etc/passwd", "scheme-refused"),
            ("ftp://example.org/", "scheme-refused"),
            ("javascript:alert(1)", "scheme-refused"),
            ("http://", "bad-url"),
            ("http://[::1", "bad-url"),
            ("http://example.org:99999/", "bad-url"),
            ("/" + "x" * 9000, "bad-url"),
            ("http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", "address-refused"),
            ("http://169.254.169.254/latest/meta-data/", "address-refused"),
            ("http://2852039166/", "address-refused"),
            ("//[::ffff:169.254.169.254]/", "address-refused"),
        ],
    )
    def test_that_are_not_followed(self, location: str, reason: str, client_for: Callable[..., Client]) -> None:
        with (
            serving(script({"/": answer(status="301 M", headers={"Location": location})})) as server,
            pytest.raises(FetchRefused) as caught,
        ):
            client_for(server).get(server.url())
        assert caught.value.reason == reason
        assert len(server.asked) == 1

    def test_hooks_see_targets_before_they_are_asked(self, client_for: Callable[..., Client]) -> None:
        redirects: list[str] = []
        hosts: list[str] = []
        answers = {"/a": answer(status="301 M", headers={"Location": "/b"})}
        with serving(script({"/c": PAGE})) as other, serving(script(answers)) as server:
            answers["/b"] = answer(status="302 M", headers={"Location": other.url("/c")})

            def before_host(url: str) -> None:
                assert not other.asked
                hosts.append(url)

            client_for(server, other).get(server.url("/a"), before_redirect=redirects.append, before_host=before_host)
            assert redirects == [server.url("/b"), other.url("/c")]
            assert hosts == [other.url("/c")]

    @pytest.mark.parametrize("error", [OSError("theirs"), ValueError("theirs"), KeyError("theirs")])
    def test_what_hooks_raise_reaches_the_caller(self, error: Exception, client_for: Callable[..., Client]) -> None:
        def busy(url: str) -> None:
            raise error

        with serving(script({"/": PAGE})) as other:
            say = script({"/": answer(status="302 M", headers={"Location": other.url()})})
            with serving(say) as server:
                client = client_for(server, other)
                with pytest.raises(type(error), match="theirs"):
                    client.get(server.url(), before_redirect=busy)
                with pytest.raises(type(error), match="theirs"):
                    client.get(server.url(), before_host=busy)
        assert not other.asked

    def test_credentials_stay_on_their_origin(self, client_for: Callable[..., Client]) -> None:
        secrets = {"Authorization": "Bearer 1", "cookie": "a=b", "Accept-Language": "zh"}
        with serving(script({"/": PAGE})) as other:
            say = script(
                {
                    "/a": answer(status="302 M", headers={"Location": "/b"}),
                    "/b": answer(status="302 M", headers={"Location": other.url()}),
                }
            )
            with serving(say) as server:
                client_for(server, other).get(server.url("/a"), headers=secrets)
        assert all("authorization" in asked.headers and "cookie" in asked.headers for asked in server.asked)
        assert "authorization" not in other.asked[0].headers
        assert "cookie" not in other.asked[0].headers
        assert other.asked[0].headers["accept-language"] == "zh"


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("ftp://example.org/", "scheme-refused"),
            ("file:///etc/passwd", "scheme-refused"),
            ("data:text/html,x", "scheme-refused"),
            ("example.org", "bad-url"),
            ("", "bad-url"),
            ("http://", "bad-url"),
            ("http://exa mple.org/", "bad-url"),
            ("http://example.org/a\r\nX-Injected: 1", "bad-url"),
            ("http://example.org/\t", "bad-url"),
            ("http://example.org/\x00", "bad-url"),
            ("http://example.org/\x7f", "bad-url"),
            ("http://example.org/\ud800", "bad-url"),
            ("http://" + "a." * 50_000, "bad-url"),
            ("http://" + "a" * 64 + ".example/", "bad-url"),  # a label too long for any name
            ("http://example.org:22/", "port-refused"),
            ("http://example.org:6379/", "port-refused"),
            ("http://example.org:9001/", "port-refused"),
            ("https://example.org:25/", "port-refused"),
            ("http://8.8.8.8:53/", "port-refused"),
        ],
    )
    def test_refused_before_anything_is_asked(self, url: str, reason: str) -> None:
        def unasked(host: str, port: int) -> list[fetch.Endpoint]:
            if host.isascii() and all(len(label) < 64 for label in host.split(".")):
                raise AssertionError(host)
            return fetch.resolve(host, port)

        with pytest.raises(FetchRefused) as caught:
            Client(user_agent="t", resolve=unasked).get(url)
        assert caught.value.reason == reason
        str(caught.value).encode()

    @pytest.mark.parametrize("port", [80, 443, 8000, 8080, 8443, 8888, 8999])
    def test_ports_of_the_web(self, port: int) -> None:
        with pytest.raises(FetchRefused, match="address-refused"):
            Client(user_agent="t", resolve=Names({"a.example": [["10.0.0.1"]]})).get(f"http://a.example:{port}/")

    def test_user_and_password_are_neither_sent_nor_told(self, client_for: Callable[..., Client]) -> None:
        with serving(script({"/": PAGE})) as server:
            response = client_for(server).get(f"http://user:hunter2@{server.endpoint}/")
            assert response.url == server.url()
            assert "authorization" not in server.asked[0].headers
            with pytest.raises(FetchError) as caught:
                client_for(server).get(f"http://user:hunter2@{server.endpoint}/none")
        assert "hunter2" not in str(caught.value)
        assert "hunter2" not in str(caught.value.trace)

    @pytest.mark.parametrize("header", [("a b", "x"), ("x", "a\r\nb: c"), ("x", "a\nb"), ("x", "é"), ("", "x")])
    def test_headers_that_would_inject(self, header: tuple[str, str], client_for: Callable[..., Client]) -> None:
        with serving(script({"/": PAGE})) as server, pytest.raises(FetchRefused, match="bad-header"):
            client_for(server).get(server.url(), headers=dict([header]))
        assert not server.asked


class TestConnections:
    def test_are_kept(self, client_for: Callable[..., Client]) -> None:
        with serving(script({"/": PAGE})) as server:
            client = client_for(server)
            for _ in range(3):
                client.get(server.url())
            with pytest.raises(FetchError):
                client.get(server.url("/none"))
            client.get(server.url())
        assert server.connections == 1

    def test_that_the_server_closed_are_made_anew(self, client_for: Callable[..., Client]) -> None:
        with serving(script({"/": PAGE}, keep=False)) as server:
            client = client_for(server)
            for _ in range(3):
                client.get(server.url())
        assert server.connections == 3

    def test_that_close_under_a_request_are_made_anew_once(self, client_for: Callable[..., Client]) -> None:
        def fickle(asked: Asked, sock: socket.socket) -> bool:
            if len([a for a in server.asked if a.connection == asked.connection]) > 1:
                return False  # hangs up without a word, as a server does whose keep-alive has just run out
            sock.sendall(PAGE)
            return True

        with serving(fickle) as server:
            client = client_for(server)
            client.get(server.url())
            again = client.get(server.url())
        assert again.status == 200
        assert "reconnect" in [step.what for step in again.trace]
        assert server.connections == 2

    def test_a_fresh_one_that_closes_is_no_second_try(self, client_for: Callable[..., Client]) -> None:
        with serving(hang_up) as server, pytest.raises(FetchTransient) as caught:
            client_for(server).get(server.url())
        assert (caught.value.reason, caught.value.host_wide) == ("connection", True)
        assert len(server.asked) == 1

    def test_serve_many_threads(self, client_for: Callable[..., Client]) -> None:
        with serving(script({f"/{n}": answer(b"%d" % n) for n in range(40)})) as server:
            client = client_for(server)
            bodies: dict[int, bytes] = {}

            def work(numbers: range) -> None:
                for number in numbers:
                    bodies[number] = client.get(server.url(f"/{number}")).body

            threads = [threading.Thread(target=work, args=(range(first, 40, 4),)) for first in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert bodies == {number: b"%d" % number for number in range(40)}

    def test_to_nobody(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(FetchTransient) as caught:
            Client(user_agent="t", allowed_networks=["127.0.0.0/8"]).get(f"http://127.0.0.1:{port}/")
        assert (caught.value.reason, caught.value.host_wide, caught.value.sent) == ("connection", True, False)

    def test_the_next_address_is_tried(self, client_for: Callable[..., Client]) -> None:
        with serving(script({"/": PAGE})) as server, socket.create_server(("127.0.0.1", 0)) as listener:
            dead = listener.getsockname()[1]
            listener.close()
            client = Client(
                user_agent="t",
                allowed_networks=["127.0.0.0/8"],
                resolve=lambda *_: [("127.0.0.1", dead), ("127.0.0.1", server.port)],
            )
            assert client.get("http://news.example/").status == 200
            client.close()

    def test_an_unknown_name(self) -> None:
        for names in (Names({}), Names({"a.example": [[]]})):
            with pytest.raises(FetchTransient) as caught:
                Client(user_agent="t", resolve=names).get("http://a.example/")
            assert (caught.value.reason, caught.value.host_wide) == ("dns", True)


class TestDeadline:
    def test_passed_before_the_start(self, client_for: Callable[..., Client]) -> None:
        with serving(script({"/": PAGE})) as server, pytest.raises(FetchTransient) as caught:
            client_for(server).get(server.url(), deadline=time.time() - 1)
        assert (caught.value.reason, caught.value.host_wide) == ("deadline", False)
        assert not server.asked

    def test_on_the_clients_clock(self, client_for: Callable[..., Client]) -> None:
        with serving(script({"/": PAGE})) as server:
            assert client_for(server, clock=lambda: 5.0).get(server.url(), deadline=10.0).status == 200

    def test_ours_is_not_the_hosts_fault(self, client_for: Callable[..., Client]) -> None:
        quiet = threading.Event()

        def silent(asked: Asked, sock: socket.socket) -> bool:
            quiet.wait(5)
            return False

        with serving(silent) as server:
            client = client_for(server, limits=Limits(first_byte_seconds=0.2))
            with pytest.raises(FetchTransient) as theirs:
                client.get(server.url())
            with pytest.raises(FetchTransient) as ours:
                client.get(server.url(), deadline=time.time() + 0.1)
            quiet.set()
        assert (theirs.value.reason, theirs.value.host_wide) == ("timeout", True)
        assert (ours.value.reason, ours.value.host_wide) == ("deadline", False)


class TestPost:
    def test_returns_whatever_the_status(self, client_for: Callable[..., Client]) -> None:
        with serving(script({"/hook": answer(b"no", "400 Bad", {"X-Why": "so"})})) as server:
            client = client_for(server)
            response = client.post(server.url("/hook"), b'{"a": 1}', {"X-Id": "7"})
            assert (response.status, response.body, response.headers["x-why"]) == (400, b"no", "so")
            assert client.post(server.url("/other"), b"").status == 404
        first = server.asked[0]
        assert (first.method, first.body) == ("POST", b'{"a": 1}')
        assert (first.headers["content-type"], first.headers["x-id"]) == ("application/json", "7")
        assert server.connections == 2, "a kept connection wouldn't tell whether a lost post had arrived"

    def test_follows_nothing(self, client_for: Callable[..., Client]) -> None:
        with serving(script({"/": answer(status="307 M", headers={"Location": "/b"})})) as server:
            assert client_for(server).post(server.url(), b"x").status == 307
        assert len(server.asked) == 1

    def test_keeps_the_beginning_of_a_long_answer(self, client_for: Callable[..., Client]) -> None:
        with serving(script({"/": answer(b"x" * 500_000)})) as server:
            assert client_for(server).post(server.url(), b"x").body == b"x" * 65536

    def test_an_answer_that_breaks_off_is_an_answer(self, client_for: Callable[..., Client]) -> None:
        def broken(asked: Asked, sock: socket.socket) -> bool:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")
            return False

        with serving(broken) as server:
            assert client_for(server).post(server.url(), b"x").status == 200

    def test_says_whether_it_may_have_arrived(self, client_for: Callable[..., Client]) -> None:
        with serving(hang_up) as server, pytest.raises(FetchTransient) as lost:
            client_for(server).post(server.url("/secret-token"), b"x")
        assert lost.value.sent
        with pytest.raises(FetchTransient) as unsent:
            Client(user_agent="t", resolve=Names({})).post("https://hooks.example/secret-token", b"x")
        assert not unsent.value.sent

    @pytest.mark.parametrize(
        "url",
        [
            "https://hooks.example/secret-token",
            "https://hooks.example:22/secret-token",
            "secret-token",
            "ftp://hooks.example/secret-token",
        ],
    )
    def test_never_tells_the_secret(self, url: str) -> None:
        with pytest.raises(FetchError) as caught:
            Client(user_agent="t", resolve=Names({})).post(url, b"x")
        told = "".join(traceback.format_exception(caught.value)) + str(caught.value.trace)
        assert "secret-token" not in told

    def test_to_nowhere_inside(self) -> None:
        with pytest.raises(FetchRefused, match="address-refused"):
            Client(user_agent="t").post("http://169.254.169.254/", b"x")


def test_exemptions() -> None:
    gate = Gate(["10.1.0.0/16", "127.0.0.1:8123", "[::1]:8123", "fd00::/8"], fetch.resolve, 1.0)
    admitted = [("10.1.2.3", 22), ("127.0.0.1", 8123), ("::1", 8123), ("fd00::5", 1), ("::ffff:10.1.2.3", 5)]
    refused = [("10.2.0.1", 80), ("127.0.0.1", 9001), ("::1", 9001), ("fe80::1", 80), ("nowhere", 80)]
    assert all(gate.admits(endpoint) for endpoint in admitted)
    assert not any(gate.admits(endpoint) for endpoint in refused)


def test_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, client_for: Callable[..., Client]
) -> None:
    with serving(script({})) as proxy, serving(script({"/": PAGE})) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        assert client_for(server).get(server.url()).status == 200
    assert not proxy.asked


def test_a_body_packed_undeclared_is_unpacked(client_for: Callable[..., Client]) -> None:
    with serving(script({"/map.xml.gz": answer(gzip.compress(b"<urlset/>"))})) as server:
        assert client_for(server).get(server.url("/map.xml.gz")).body == b"<urlset/>"


def test_the_user_agent_is_truthful() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"].startswith(fetch.VERSION + ".")
    assert fetch.user_agent("https://example.org/bot") == f"Broadsheet/{fetch.VERSION} (+https://example.org/bot)"
