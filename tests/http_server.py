"""A web server on the loopback interface that misbehaves as told, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Page:
    """What the server does for one path."""

    body: bytes
    status: int = 200
    ranges: bool = True  # answers Range requests
    cut_at: int | None = None  # closes the connection after this many bytes of the body
    hold_at: int | None = None  # after this many bytes, waits until `gate` is set
    drip: bool = False  # while held, sends a byte every 20 ms
    length: bool = True  # announces Content-Length
    whole_as_range: bool = False  # answers a Range request with a range that is the whole
    gate: threading.Event = field(default_factory=threading.Event)


@dataclass
class Asked:
    """One request as it came in."""

    path: str
    range: str | None
    user_agent: str


class LoopbackServer:
    """Serves `pages` by path; `asked` lists the requests in order."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> LoopbackServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for page in self.pages.values():
            page.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked_range = self.headers["Range"]
                server.asked.append(Asked(self.path, asked_range, self.headers["User-Agent"]))
                page = server.pages.get(self.path)
                if page is None or page.status != 200:
                    self.send_error(404 if page is None else page.status)
                    return
                begin = int(asked_range.removeprefix("bytes=").rstrip("-")) if asked_range and page.ranges else 0
                if begin and begin >= len(page.body):
                    self.send_error(416)
                    return
                self.send_response(206 if begin else 200)
                if begin:
                    begin = 0 if page.whole_as_range else begin
                    self.send_header("Content-Range", f"bytes {begin}-{len(page.body) - 1}/{len(page.body)}")
                if page.length:
                    self.send_header("Content-Length", str(len(page.body) - begin))
                self.end_headers()
                with contextlib.suppress(OSError):  # the client went away
                    self._send(page, begin)
                self.close_connection = True

            def _send(self, page: Page, begin: int) -> None:
                end = len(page.body) if page.cut_at is None else page.cut_at
                if page.hold_at is not None and not page.gate.is_set():
                    self.wfile.write(page.body[begin : page.hold_at])
                    self.wfile.flush()
                    begin = max(begin, page.hold_at)
                    while not page.gate.wait(0.02):
                        if page.drip:
                            self.wfile.write(page.body[begin : begin + 1])
                            begin += 1
                self.wfile.write(page.body[begin:end])

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
