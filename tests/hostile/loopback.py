"""A scripted HTTP server on 127.0.0.1 and a resolver of our own: the world that fetch is tried against."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from broadsheet.fetch import Endpoint


class Asked(NamedTuple):
    """A request as the server read it; `connection` counts the connections it came over."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


# Writes the answer to the socket; whether the connection is kept.
Answer = Callable[[Asked, socket.socket], bool]


class Server:
    """Answers as the script says; remembers what it was asked."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self._answer = answer
        self._tls = tls
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/") -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        self._listener.close()
        for sock in self._open:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            elif sock.recv(1, socket.MSG_PEEK) == b"\x16":
                return  # a TLS greeting, which we don't speak
            kept = True
            with sock.makefile("rb") as stream:
                while kept and (line := stream.readline()):
                    method, path, _ = line.decode("latin-1").split(" ")
                    headers = dict(_headers(iter(stream.readline, b"\r\n")))
                    body = stream.read(int(headers.get("content-length", "0")))
                    asked = Asked(method, path, headers, body, number)
                    self.asked.append(asked)
                    kept = self._answer(asked, sock)
        except OSError:
            pass  # the client has gone: many tests want it to
        finally:
            sock.close()


def _headers(lines: Iterator[bytes]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, value = line.decode("latin-1").partition(":")
        yield name.lower(), value.strip()


def answer(body: bytes = b"", status: str = "200 OK", headers: Mapping[str, str] | None = None) -> bytes:
    """A whole answer with its Content-Length."""
    fields = {"Content-Length": str(len(body)), **(headers or {})}
    return "".join([f"HTTP/1.1 {status}\r\n", *(f"{n}: {v}\r\n" for n, v in fields.items()), "\r\n"]).encode() + body


def script(answers: Mapping[str, bytes], *, keep: bool = True) -> Answer:
    """The answer for each path; 404 for others."""

    def say(asked: Asked, sock: socket.socket) -> bool:
        sock.sendall(answers.get(asked.path, answer(status="404 Not Found")))
        return keep

    return say


def hang_up(asked: Asked, sock: socket.socket) -> bool:
    """No answer at all."""
    return False


@contextmanager
def serving(say: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(say, tls)
    try:
        yield server
    finally:
        server.close()


class Names:
    """A resolver: a host's answers in turn, the last for ever; remembers what it was asked. Literals are themselves."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._answers = {host: list(turns) for host, turns in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[Endpoint]:
        self.asked.append(host)
        turns = self._answers.get(host)
        if turns is None:
            if host.replace(".", "").isdigit() or ":" in host:
                return [(host, port)]
            raise socket.gaierror(socket.EAI_NONAME, "unknown here")
        return [(address, port) for address in (turns.pop(0) if len(turns) > 1 else turns[0])]
