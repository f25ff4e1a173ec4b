"""A server of files on loopback, which knows ranges and can be told to fail."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Fault(NamedTuple):
    """What is done instead of an answer: a status with a header, or the body cut off after ``cut`` bytes."""

    status: int = 0
    header: tuple[str, str] = ("X-Fault", "1")
    cut: int | None = None


class FileServer(ThreadingHTTPServer):
    """``files``: bodies by name. ``faults``: of the next requests, in order. ``asked``: the name and the range of each
    request so far. ``ranges``: whether it knows them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.asked: list[tuple[str, str | None]] = []
        self.ranges = True

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        name, wanted = self.path.removeprefix("/"), self.headers.get("Range")
        self.server.asked.append((name, wanted))
        fault = self.server.faults.pop(0) if self.server.faults else Fault()
        body = self.server.files.get(name)
        if fault.status or body is None:
            return self._say(fault.status or 404, b"<html>", *fault.header)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.ranges else 0
        if start >= len(body):
            return self._say(416, b"", "Content-Range", f"bytes */{len(body)}")
        span = ("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self._say(206 if start else 200, body[start:], *span, cut=fault.cut)

    def _say(self, status: int, body: bytes, header: str, value: str, cut: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[FileServer]:
    with FileServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
