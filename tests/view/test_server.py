"""The server's safety: foreign hosts and origins, tokens, paths, sizes, slow clients; raw bytes over a socket."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import whygrad as wg
from whygrad.view import handler, server
from whygrad.view.server import Server

ROOT = Path(__file__).parents[2]


@contextmanager
def serving(**options: Any) -> Iterator[Server]:
    with Server(wg.Network.default().run(), **options) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    with serving() as made:
        yield made


class Got(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def raw(served: Server, sent: bytes) -> Got:
    with closing(socket.create_connection(("127.0.0.1", served.port), timeout=10)) as connection:
        connection.sendall(sent)
        response = http.client.HTTPResponse(connection, method=sent.partition(b" ")[0].decode("latin-1"))
        with closing(response):
            response.begin()
            return Got(response.status, dict(response.getheaders()), response.read())


def request(
    served: Server, method: str = "GET", path: str | None = None, body: bytes = b"", **headers: str | None
) -> Got:
    """Sends a request as the page itself would; headers with None are left out, a_b stands for A-B."""
    host = f"127.0.0.1:{served.port}"
    made: dict[str, str | None] = {"Host": host}
    if method == "POST":
        made |= {
            "Origin": f"http://{host}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
    made |= {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/{served.token}/{'ask' if method == 'POST' else ''}" if path is None else path
    lines = [
        f"{method} {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in made.items() if value is not None),
    ]
    return raw(served, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)


def nothing_for_strangers(got: Got) -> None:
    assert got.status == 403
    assert got.body == b""
    assert set(got.headers) <= {"Content-Length", "Connection"}


# What the page gets


def test_the_page_and_its_files(served: Server) -> None:
    page = request(served)
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b'<script type="module" src="served.js">' in page.body
    for name in ("viewer.js", "served.js"):
        got = request(served, path=f"/{served.token}/{name}")
        assert got.status == 200
        assert got.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert b"mount" in got.body


def test_the_document_is_in_the_page(served: Server) -> None:
    text = request(served).body.decode()
    (found,) = re.findall(r'<script type="application/json" id="document">(.*?)</script>', text, re.DOTALL)
    made = json.loads(found)
    assert made["version"] == 1
    assert made["state"]["chosen"] == "w1.0.0"


def test_every_answer_forbids_what_the_page_does_not_need(served: Server) -> None:
    for got in (
        request(served),
        request(served, "POST", body=b"{}"),
        request(served, path=f"/{served.token}/x"),
    ):
        policy = got.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        assert got.headers["Referrer-Policy"] == "no-referrer"
        assert got.headers["Cache-Control"] == "no-store"
        assert got.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in got.headers


def test_head_has_no_body(served: Server) -> None:
    got = request(served, "HEAD")
    assert got.status == 200
    assert got.body == b""
    assert int(got.headers["Content-Length"]) > 1000


def test_questions_are_answered(served: Server) -> None:
    asked = {"do": "explain", "quantity": "w3.0.0", "state": {"parameters": {"w1.0.0": 0}}, "stamp": 5}
    reply = json.loads(request(served, "POST", body=json.dumps(asked).encode()).body)
    assert reply["ok"] is True
    assert reply["stamp"] == 5
    assert reply["result"]["value"] == pytest.approx(0.646935)


def test_bad_questions_get_an_error_and_no_traceback(served: Server) -> None:
    for body in (b"", b"{", b"[]", b'{"do": 1}', b"\xff", b"[" * 100_000, b'{"do":"check","equation":"q"}'):
        got = request(served, "POST", body=body)
        assert got.status == 200
        reply = json.loads(got.body)
        assert reply["ok"] is False
        assert reply["error"]["message"]
        assert b"Traceback" not in got.body


# Strangers


@pytest.mark.parametrize(
    "host",
    [
        None,
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil.example",
        "192.168.0.10:{port}",
        "10.0.0.1",
        "[2001:db8::1]:{port}",
        "user@localhost:{port}",
        "localhost:{port}/x",
        "localhost:port",
        "",
        "[::1",
        "evil.example#localhost",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_foreign_hosts_get_nothing(served: Server, host: str | None, method: str) -> None:
    named = None if host is None else host.format(port=served.port)
    nothing_for_strangers(request(served, method, body=b'{"do":"document"}', Host=named, Origin=None))


@pytest.mark.parametrize(
    "host", ["localhost:{port}", "127.0.0.1", "[::1]:{port}", "LOCALHOST:80", "127.0.0.2"]
)
def test_this_machine_has_several_names(served: Server, host: str) -> None:
    assert request(served, Host=host.format(port=served.port)).status == 200


def test_two_hosts_are_none(served: Server) -> None:
    lines = f"GET /{served.token}/ HTTP/1.1\r\nHost: localhost:{served.port}\r\nHost: evil.example\r\n\r\n"
    nothing_for_strangers(raw(served, lines.encode()))


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "file://",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_foreign_origins_get_nothing(served: Server, origin: str, method: str) -> None:
    named = origin.format(port=served.port)
    nothing_for_strangers(request(served, method, body=b'{"do":"document"}', Origin=named))


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_pages_can_not_load_the_files(served: Server, site: str) -> None:
    path = f"/{served.token}/viewer.js"
    nothing_for_strangers(request(served, path=path, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors"))
    assert request(served, path=path, Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="cors").status == 200
    assert request(served, Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/ask",
        "/viewer.js",
        "/x/",
        "/{token}x/",
        "/{short}/",
        "/{upper}/",
        "http://127.0.0.1/{token}/",
        "{token}/",
        "*",
        "/%2e%2e/{token}/",
        "/?token={token}",
        "/é/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_without_the_token_there_is_nothing(served: Server, path: str, method: str) -> None:
    token = served.token
    named = path.format(token=token, short=token[:-1], upper=token.swapcase())
    nothing_for_strangers(request(served, method, path=named, body=b"{}"))


def test_tokens_are_long_and_new_each_time(served: Server) -> None:
    with Server(wg.Network.default().run()) as other:
        assert other.token != served.token
        assert len(other.token) >= 32


# Paths, methods, sizes, time


@pytest.mark.parametrize(
    "name",
    [
        "../whygrad/errors.py",
        "../../../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "/etc/passwd",
        "viewer.js/",
        "viewer.js?x",
        "viewer.css/../viewer.js",
        "server.py",
        "\\..\\x",
        "viewer.js%00",
    ],
)
def test_there_is_no_path_to_anything_else(served: Server, name: str) -> None:
    got = request(served, path=f"/{served.token}/{name}")
    assert got.status == 404
    assert json.loads(got.body)["error"]["message"] == "there is nothing at this address"


@pytest.mark.parametrize(
    ("method", "name", "allowed"),
    [
        ("GET", "ask", "POST"),
        ("POST", "", "GET, HEAD"),
        ("POST", "viewer.js", "GET, HEAD"),
        ("PUT", "ask", "GET, HEAD, POST"),
        ("DELETE", "", "GET, HEAD, POST"),
        ("OPTIONS", "ask", "GET, HEAD, POST"),
        ("PATCH", "ask", "GET, HEAD, POST"),
    ],
)
def test_other_methods_are_not_allowed(served: Server, method: str, name: str, allowed: str) -> None:
    got = request(served, method, path=f"/{served.token}/{name}", body=b"{}")
    assert got.status == 405
    assert got.headers["Allow"] == allowed
    assert json.loads(got.body)["ok"] is False


def test_unknown_methods_and_broken_requests_are_not_repeated(served: Server) -> None:
    for sent in (
        b"BREW / HTTP/1.1\r\n\r\n",
        b"<script> / HTTP/9\r\n\r\n",
        b"GET /x HTTP/1.1 x\r\n\r\n",
        b"GET " + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    ):
        with closing(socket.create_connection(("127.0.0.1", served.port), timeout=10)) as connection:
            connection.sendall(sent)
            with connection.makefile("rb") as answer:
                got = answer.read()
        status, _, rest = got.partition(b"\r\n")
        assert status == b"" or re.fullmatch(rb"HTTP/1.0 (4|5)\d\d [\w -]+", status)
        assert rest in (b"", b"Content-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_forms_of_other_pages_are_no_questions(served: Server, kind: str | None) -> None:
    got = request(served, "POST", body=b'{"do":"document"}', Content_Type=kind)
    assert got.status == 415


@pytest.mark.parametrize("length", [None, "-1", "1e3", "", "٣", "9" * 30])
def test_questions_have_a_length(served: Server, length: str | None) -> None:
    sent = None if length is None else length.encode().decode("latin-1")
    got = request(served, "POST", Content_Length=sent)
    assert got.status == 411


def test_oversize_is_refused_before_it_is_read(served: Server) -> None:
    begun = time.monotonic()
    got = request(served, "POST", Content_Length=str(handler.MOST_BODY + 1))
    assert got.status == 413
    assert json.loads(got.body)["error"]["message"] == "expected at most 24,466,773 bytes"
    assert time.monotonic() - begun < 2


def test_what_ends_too_early_is_an_error(served: Server) -> None:
    with closing(socket.create_connection(("127.0.0.1", served.port), timeout=10)) as connection:
        head = f"POST /{served.token}/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100).startswith(b"HTTP/1.0 400 ")


def closes_after(connection: socket.socket, drip: bytes) -> float:
    """Returns after how many seconds the server gives up on a client that sends a byte now and then."""
    begun = time.monotonic()
    connection.settimeout(0.1)
    while time.monotonic() - begun < 10:
        try:
            connection.sendall(drip)
            if not connection.recv(1000):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begun


def test_slow_clients_are_given_up(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "PATIENCE", 0.6)
    head = (
        f"POST /{served.token}/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 1000\r\n\r\n"
    ).encode()
    for start in (b"", b"GET / HT", head):
        with closing(socket.create_connection(("127.0.0.1", served.port), timeout=10)) as connection:
            connection.sendall(start)
            assert closes_after(connection, b"x") < 3
    assert request(served).status == 200


def test_idle_connections_do_not_pile_up(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "PATIENCE", 1.0)
    idle = [
        socket.create_connection(("127.0.0.1", served.port), timeout=10) for _ in range(server.MOST_AT_ONCE)
    ]
    time.sleep(0.3)
    try:
        with closing(socket.create_connection(("127.0.0.1", served.port), timeout=10)) as one_more:
            assert closes_after(one_more, b"") < 0.7
    finally:
        for connection in idle:
            connection.close()
    time.sleep(1.2)
    assert request(served).status == 200


def test_many_questions_at_once_are_all_answered(served: Server) -> None:
    replies: dict[int, Any] = {}

    def one(number: int) -> None:
        state = {"parameters": {"w3.0.0": number / 10}}
        asked = {"do": "explain", "quantity": "a2.0", "of": "C0", "state": state, "stamp": number}
        replies[number] = json.loads(request(served, "POST", body=json.dumps(asked).encode()).body)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(replies[number]["stamp"] == number for number in range(12))
    assert len({replies[number]["result"]["value"] for number in range(12)}) == 12


# Starting and ending


def test_a_port_that_is_in_use_is_said(served: Server) -> None:
    with pytest.raises(
        wg.WhygradError, match=rf"view: port {served.port} is in use; try another, or --port 0"
    ):
        Server(wg.Network.default().run(), port=served.port)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 70_000}, "expected a port from 0 to 65535, found 70000"),
        ({"host": "no.such.host.invalid"}, "can't listen on no.such.host.invalid: "),
        ({"host": "198.51.100.7"}, "can't listen on 198.51.100.7: "),
    ],
)
def test_what_can_not_be_listened_on_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(wg.WhygradError, match=re.escape(message)):
        Server(wg.Network.default().run(), **options)


def test_other_machines_are_let_in_only_when_asked_to(served: Server) -> None:
    assert served.local
    assert served.server_address[0] == "127.0.0.1"
    with serving(host="0.0.0.0") as everywhere:
        assert not everywhere.local
        assert everywhere.token in everywhere.address
        assert request(everywhere, Host="192.168.0.10:8000").status == 200
        assert request(everywhere, Host=f"{socket.gethostname()}:8000").status == 200
        nothing_for_strangers(request(everywhere, Host="evil.example"))


@pytest.mark.skipif(not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists(), reason="needs IPv6")
def test_the_other_loopback_address() -> None:
    with serving(host="::1") as six:
        assert six.address.startswith("http://[::1]:")
        assert six.local


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    # Shells without job control start what runs in the background with SIGINT ignored, and children inherit that.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from whygrad.cli import main; main()"
    )
    start = [sys.executable, "-c", program, "view", "--no-browser", *arguments]
    env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_command_prints_its_address_and_ends_with_ctrl_c() -> None:
    with command("--port", "0") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline().strip()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/([\w-]{32})/", address)
        assert found is not None
        assert process.stdout.readline() == "Ctrl-C ends it.\n"
        with closing(http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=10)) as connection:
            connection.request("GET", f"/{found[2]}/")
            assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 0
        assert errors == ""


def test_the_command_fails_clearly(served: Server, tmp_path: Path) -> None:
    wrong = tmp_path / "net.toml"
    wrong.write_text("sizes = [2", encoding="utf-8")
    for arguments, message in (
        (("--port", str(served.port)), f"whygrad: view: port {served.port} is in use; "),
        (("-n", str(wrong)), f"whygrad: {wrong}: not a TOML file"),
        (("--port", "99999"), "99999"),
    ):
        with command(*arguments) as process:
            out, errors = process.communicate(timeout=30)
            assert process.returncode == 2
            assert out == ""
            assert message in errors
            assert "Traceback" not in errors
