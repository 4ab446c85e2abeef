"""Serves the page of a run to a browser on this machine, and answers what the page asks.

Whoever knows the address may ask everything, so it has a random token; nobody else learns anything. Nothing is read
from the disk when somebody asks: there are four addresses, and each has its answer in memory.
"""

import errno
import ipaddress
import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from functools import partial
from html import escape
from http.server import ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from whygrad.errors import WhygradError
from whygrad.run import Run
from whygrad.view.assets import script
from whygrad.view.document import document
from whygrad.view.handler import Handler
from whygrad.view.live import Answers, Session
from whygrad.view.static import static

MOST_AT_ONCE = 32
"""Connections; those beyond are closed at once."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>body {{ margin: 0; background: light-dark(#ffffff, #12151c); }}</style>
</head>
<body>
<div id="whygrad" data-address>{still}</div>
<script type="application/json" id="document">{document}</script>
<script type="module" src="served.js"></script>
</body>
</html>
"""

log = logging.getLogger("whygrad.view")


class Content(NamedTuple):
    """What an address has."""

    kind: str
    body: bytes


class Server(ThreadingHTTPServer):
    """Serves one run; ``address`` is where.

    Args:
        run: The run.
        host: The address to listen on; other machines are let in only where it isn't a loopback address.
        port: The port; 0 for any that is free.
        chosen: What the page explains first.

    Raises:
        WhygradError: It can't listen there.
    """

    request_queue_size = MOST_AT_ONCE
    allow_reuse_address = os.name != "nt"  # on Windows it would let two programs have the same port

    def __init__(self, run: Run, host: str = "127.0.0.1", port: int = 0, **chosen: Any) -> None:
        self._start(Session(run), document(run, **chosen), static(run, **chosen), host, port)

    @classmethod
    def of(cls, session: Answers, made: dict[str, Any], still: str, host: str, port: int) -> "Server":
        """Returns a server of any document, with whoever answers questions about it and its still page."""
        server = cls.__new__(cls)
        server._start(session, made, still, host, port)
        return server

    def _start(self, session: Answers, made: dict[str, Any], still: str, host: str, port: int) -> None:
        if not 0 <= port < 2**16:
            raise WhygradError(f"view: expected a port from 0 to 65535, found {port}")
        self.session = session
        self.token = secrets.token_urlsafe(24)
        self.contents = _contents(made, still)
        self.calculating = threading.Lock()
        self._connections = threading.BoundedSemaphore(MOST_AT_ONCE)
        try:
            family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self.address_family = family
            super().__init__((str(where[0]), int(where[1])), Handler)
        except (OSError, UnicodeError) as error:
            raise WhygradError(_refused(host, port, error)) from None
        self.names = _own_names(host)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(str(self.server_address[0]).partition("%")[0]).is_loopback

    @property
    def address(self) -> str:
        """The address of the page, with its token."""
        bound = ipaddress.ip_address(str(self.server_address[0]).partition("%")[0])
        host = socket.gethostname() if bound.is_unspecified else str(bound)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/{self.token}/"

    def server_bind(self) -> None:
        """Binds the socket, without the name lookup of the standard server, which can take seconds."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for a connection, unless there are too many."""
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handles a connection in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Logs what went wrong with a connection; clients that went away are no news."""
        log.debug("a connection failed", exc_info=True)

    def knows(self, host: str) -> bool:
        """Returns whether a Host header names this server: DNS rebinding comes with the attacker's name."""
        try:
            parts = urlsplit(f"//{host}")
            name, _ = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.netloc != host or "@" in host:
            return False
        try:
            literal = ipaddress.ip_address(name)
        except ValueError:
            return name in self.names
        return literal.is_loopback or not self.local


def _own_names(host: str) -> set[str]:
    names = {"localhost", host.lower()}
    return names if _loopback(host) else names | {socket.gethostname().lower()}


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refused(host: str, port: int, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"view: port {port} is in use; try another, or --port 0 for any that is free"
    if isinstance(error, PermissionError):
        return f"view: port {port} needs more rights; try one from 1024, or --port 0 for any that is free"
    return f"view: can't listen on {host}: {getattr(error, 'strerror', None) or error}"


def _contents(shown: dict[str, Any], still: str) -> dict[str, Content]:
    # In a script element only "<" can end the text: </script>, <!--.
    data = json.dumps(shown, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    page = PAGE.format(title=escape(f"whygrad: {shown['title']}"[:200]), document=data, still=still)
    served = (Path(__file__).parent / "served.js").read_text(encoding="utf-8")
    return {
        "": Content("text/html; charset=utf-8", page.encode()),
        "viewer.js": Content("text/javascript; charset=utf-8", script().encode()),
        "served.js": Content("text/javascript; charset=utf-8", served.encode()),
    }


def serve(
    run: Run, host: str, port: int, *, browser: bool, say: Callable[[str], None], **chosen: Any
) -> None:
    """Serves a run until Ctrl-C.

    Args:
        run: The run.
        host: The address to listen on.
        port: The port; 0 for any that is free.
        browser: Whether to open the page in a browser.
        say: Told the address, line by line.
        **chosen: What the page explains first, as for the document.

    Raises:
        WhygradError: It can't listen there.
    """
    with Server(run, host, port, **chosen) as server:
        serving(server, browser=browser, say=say)


def serving(server: Server, *, browser: bool, say: Callable[[str], None]) -> None:
    """Says where a server is, and answers until Ctrl-C."""
    say(server.address)
    if not server.local:
        say("Whoever knows this address can open the page from other machines, without encryption.")
    say("Ctrl-C ends it.")
    if browser:
        import webbrowser

        # A browser in the terminal would keep this thread until it ends.
        threading.Thread(target=partial(webbrowser.open, server.address), daemon=True).start()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        say("")
