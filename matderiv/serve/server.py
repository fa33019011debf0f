"""HTTP for one page on the loopback address.

The server answers programs on this machine alone: it is bound to 127.0.0.1, and refuses
requests under another host name (a page elsewhere may point its own name here) or from
another origin.  An answer is a stream of JSON lines that ends with the connection; a page
that closes the connection takes its question back.
"""

from __future__ import annotations

import json
import select
import socket
import webbrowser
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import urlencode

from matderiv.errors import MatderivError
from matderiv.serve.desk import Desk

__all__ = ["DEFAULT_PORT", "PageServer", "serve"]

DEFAULT_PORT = 8417
BODY_LIMIT = 256 * 1024
_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/show.js": ("show.js", "text/javascript"),
    "/examples.json": ("examples.json", "application/json"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class PageServer(ThreadingHTTPServer):
    """Serves the page at `url` until it is closed; port 0 takes any that is free."""

    daemon_threads = True

    def __init__(self, port: int = 0, desk: Desk | None = None) -> None:
        self.desk = desk or Desk()  # first: a port in use closes the server, and so the desk
        super().__init__(("127.0.0.1", port), _Handler)
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def server_close(self) -> None:
        super().server_close()
        self.desk.close()


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    server_version = "matderiv"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        if not self._is_ours():
            return
        name, kind = _FILES.get(self.path.partition("?")[0], ("", ""))
        if not name:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        content = (files("matderiv.serve") / "page" / name).read_bytes()
        self._begin(kind, len(content))
        self.wfile.write(content)

    def do_POST(self) -> None:
        if not self._is_ours():
            return
        if self.path != "/answers":
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        if self.headers.get_content_type() != "application/json":
            # A form of another page cannot send this type without being asked first.
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_LIMIT:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        try:
            # One line for the worker, whatever white space the request has.
            request = json.dumps(json.loads(self.rfile.read(int(length)))).encode()
        except (ValueError, RecursionError):
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        self._begin("application/x-ndjson")
        self.server.desk.answer(request, self.wfile.write, partial(_is_closed, self.connection))

    def _is_ours(self) -> bool:
        host = self.headers.get("Host", "")
        origin = self.headers.get("Origin")
        if host in self.server.hosts and origin in (None, f"http://{host}"):
            return True
        self._refuse(HTTPStatus.FORBIDDEN)
        return False

    def _begin(self, kind: str, length: int | None = None) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True
        self.send_error(status)

    def log_message(self, format: str, *args: object) -> None:
        """A local page needs no log."""


def _is_closed(connection: socket.socket) -> bool:
    try:
        readable = select.select([connection], [], [], 0)[0]
        return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True


def serve(
    port: int | None = None,
    *,
    open_browser: bool = True,
    state: Mapping[str, str | Sequence[str]] | None = None,
) -> None:
    """Serve the page until interrupted; without a port the usual one, or a free one.

    `state` is what the page's own links carry: f, the formula, and wrt.
    """
    with _started(port) as server:
        address = server.url + (f"#{urlencode(state, doseq=True)}" if state else "")
        print(f"matderiv is at {address}\npress Ctrl+C to stop", flush=True)
        if open_browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def _started(port: int | None) -> PageServer:
    if port is not None and not 0 <= port < 2**16:
        raise MatderivError(f"a port is a number from 0 to 65535, not {port}")
    try:
        return PageServer(DEFAULT_PORT if port is None else port)
    except OSError as error:
        if port is None:
            return PageServer(0)
        raise MatderivError(f"port {port} cannot be used: {error.strerror}".lower()) from None
