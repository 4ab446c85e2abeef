"""Handles one request to the server of a page: who asks, what is asked, and the answer.

A request with a foreign host or origin (DNS rebinding, another page in the same browser), or without the token, gets
status 403 and no content.
"""

import io
import json
import logging
import secrets
import socket
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from whygrad.view.live import MOST_FILE, SECONDS

if TYPE_CHECKING:
    from whygrad.view.server import Server

MOST_BODY = MOST_FILE * 4 // 3 + 2 * 2**20
"""Bytes of a request: a file in base64, and some room for the state."""
PATIENCE = 20.0
"""Seconds within which a request must have arrived, and an answer must have been taken."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

log = logging.getLogger("whygrad.view")


class _Arriving(io.RawIOBase):
    """What a client sends, all of which must have come before a moment."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class Handler(BaseHTTPRequestHandler):
    """Answers one request: each connection is for one."""

    server: "Server"
    server_version, sys_version = "whygrad", ""

    def setup(self) -> None:
        """Prepares to read, with a limit on the time."""
        super().setup()
        self.rfile = io.BufferedReader(_Arriving(self.connection, PATIENCE))

    def do_GET(self) -> None:
        """Sends the page or one of its files."""
        name = self._asked()
        if name in self.server.contents:
            self._send(HTTPStatus.OK, *self.server.contents[name])
        elif name == "ask":
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "ask: expected POST", Allow="POST")
        elif name is not None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing at this address")

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def do_POST(self) -> None:
        """Answers a question of the page."""
        name = self._asked()
        if name is None:
            return
        if name != "ask":
            known = name in self.server.contents
            status = HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND
            self._refuse(status, "questions go to ask", **({"Allow": "GET, HEAD"} if known else {}))
            return
        body = self._body()
        if body is None:
            return
        if not self.server.calculating.acquire(timeout=SECONDS):
            self._refuse(
                HTTPStatus.SERVICE_UNAVAILABLE, "other questions are still being worked on; try again"
            )
            return
        try:
            reply = self.server.session.answer_text(body)
        finally:
            self.server.calculating.release()
        self._send(HTTPStatus.OK, "application/json", reply.encode())

    def _other(self) -> None:
        if self._asked() is not None:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET or POST", Allow="GET, HEAD, POST")

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _other  # noqa: N815 - these too

    def _asked(self) -> str | None:
        """Returns what is asked for behind the token; nothing (and 403) where somebody else asks."""
        hosts = self.headers.get_all("Host") or []
        origins = self.headers.get_all("Origin") or []
        _, token, name = (*self.path.split("/", 2), "", "")[:3]
        ours = (
            len(hosts) == 1
            and self.server.knows(hosts[0])
            and all(origin == f"http://{hosts[0]}" for origin in origins)
            and self._from_own_page()
            and self.path.startswith("/")
            and secrets.compare_digest(token.encode(), self.server.token.encode())
        )
        if ours:
            return name
        self.send_error(HTTPStatus.FORBIDDEN)
        return None

    def _from_own_page(self) -> bool:
        """Returns whether the browser says that its user or the page itself asks, and not another page."""
        if self.headers.get("Sec-Fetch-Mode") == "navigate" and self.command in ("GET", "HEAD"):
            return True
        return self.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")

    def _body(self) -> bytes | None:
        """Returns the body of a question; nothing (and an error) where it can't be taken."""
        kind = (self.headers.get("Content-Type") or "").partition(";")[0].strip()
        length = self.headers.get_all("Content-Length") or []
        if kind != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected application/json")
        elif len(length) != 1 or not (length[0].isascii() and length[0].isdecimal() and len(length[0]) < 19):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "expected the length of the question")
        elif int(length[0]) > MOST_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {MOST_BODY:,} bytes")
        else:
            try:
                body = self.rfile.read(int(length[0]))
            except TimeoutError:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"not all came within {PATIENCE:g} seconds")
                return None
            if len(body) == int(length[0]):
                return body
            self._refuse(HTTPStatus.BAD_REQUEST, "the question ends too early")
        return None

    def _refuse(self, status: HTTPStatus, message: str, **headers: str) -> None:
        """Sends an error to somebody who knows the token."""
        error = {"ok": False, "error": {"message": message, "where": "request"}, "stamp": None}
        self._send(status, "application/json", json.dumps(error).encode(), **headers)

    def _send(self, status: HTTPStatus, kind: str, body: bytes, **headers: str) -> None:
        self.connection.settimeout(PATIENCE)
        self.send_response(status)
        for name, value in (
            {"Content-Type": kind, "Content-Length": str(len(body))} | headers | HEADERS
        ).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Sends a status and nothing else: the standard page would repeat what was sent."""
        self.connection.settimeout(PATIENCE)
        self.log_request(code)
        self.send_response_only(code)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Logs where logging is asked for; the token stays out of it."""
        log.debug(format.replace("%", "%%") if not args else format, *args)
