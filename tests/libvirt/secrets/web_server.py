"""A web server with the image of a disk, which asks for a cookie and for the signature in the URL."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.secretive import FIRST, MARK

SIZE = 1024 * 1024


class _Image(BaseHTTPRequestHandler):
    """Zeroes, in ranges: QEMU's curl driver asks for them (7.2)."""

    def do_HEAD(self) -> None:
        self._answer(SIZE, 200)

    def do_GET(self) -> None:
        first, _, last = self.headers.get("Range", f"bytes=0-{SIZE - 1}").removeprefix("bytes=").partition("-")
        length = min(int(last or SIZE - 1), SIZE - 1) - int(first) + 1
        self._answer(length, 206)
        self.wfile.write(bytes(length))

    def _answer(self, length: int, code: int) -> None:
        knows = FIRST in self.headers.get("Cookie", "") and MARK in self.path
        self.send_response(code if knows else 403)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(length if knows else 0))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it would be the test's output."""


@contextlib.contextmanager
def web_server() -> Iterator[int]:
    """Serve the image on a port of the loopback, which it gives."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Image) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
