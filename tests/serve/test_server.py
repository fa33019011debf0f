"""The server: what it serves, what it refuses, and how it stops work."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest

from matderiv.errors import MatderivError
from matderiv.serve import PageServer, serve
from matderiv.serve.desk import Desk
from matderiv.serve.server import BODY_LIMIT

REQUEST = b'{"source": "||X w - y||^2", "wrt": ["w"]}'
LAYERS = "\n".join(f"h{i + 1} = tanh(W{i} h{i})" for i in range(40))
MANY = "\n".join(f"g{k + 1} = tanh(W g{k})" for k in range(4000))
SLOW = json.dumps({"source": f"g0 = x\n{MANY}\ng4000' g4000", "wrt": ["x"]}).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with PageServer() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def ask(
    server: PageServer, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    try:
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def post(server: PageServer, body: bytes = REQUEST, **headers: str) -> tuple[int, bytes]:
    status, _, content = ask(
        server, "POST", "/answers", body, **{"Content_Type": "application/json", **headers}
    )
    return status, content


# ---- the page --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "page.css", "page.js", "show.js", "icon.svg"])
def test_the_page_asks_for_nothing_outside(server: PageServer, name: str) -> None:
    status, headers, content = ask(server, "GET", f"/{name}")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers
    outside = re.findall(rb"https?://[^\s'\"<`]+", content)
    assert {address.partition(b"//")[2].split(b"/")[0] for address in outside} <= {b"www.w3.org"}


def test_every_file_of_the_page_is_served(server: PageServer) -> None:
    for path in (files("matderiv.serve") / "page").iterdir():
        where = "" if path.name == "index.html" else path.name
        assert ask(server, "GET", f"/{where}")[2] == path.read_bytes()


def test_nothing_else_is_served(server: PageServer) -> None:
    for path in ("/nothing", "/../server.py", "/page/page.js"):
        assert ask(server, "GET", path)[0] == 404
    assert ask(server, "GET", "/answers")[0] == 404
    assert ask(server, "PUT", "/", b"")[0] == 501


# ---- answers ---------------------------------------------------------------------------


def test_an_answer_is_a_stream_of_parts(server: PageServer) -> None:
    status, content = post(server)
    assert status == 200
    parts = [json.loads(line)["part"] for line in content.splitlines()]
    assert parts == ["program", "derivative", "cost", "code", "graph", "steps"]


def test_requests_at_the_same_time(server: PageServer) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(post(server)[1])) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 5


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:{port}"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Length": "x"}, 413),
        ({"Content_Length": str(BODY_LIMIT + 1)}, 413),
        ({"Host": "localhost:{port}", "Origin": "http://localhost:{port}"}, 200),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
    ],
    ids=str,
)
def test_who_may_ask(server: PageServer, headers: dict[str, str], status: int) -> None:
    port = server.server_port
    filled = {name: value.format(port=port) for name, value in headers.items()}
    assert post(server, **filled)[0] == status


def test_what_is_no_json_is_refused(server: PageServer) -> None:
    assert post(server, b"{")[0] == 400
    assert post(server, b"[" * 100_000)[0] == 400
    assert post(server, b"\xff\xfe")[0] == 400
    status, content = post(server, b"[]")
    assert status == 200
    assert json.loads(content)["message"] == "a request is an object with a source"


# ---- limits ----------------------------------------------------------------------------


@pytest.fixture
def desk() -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(**limits: Any) -> Desk:
        made.append(Desk(**limits))
        return made[-1]

    yield make
    for each in made:
        each.close()


def answer(desk: Desk, request: bytes = REQUEST, gone: bool = False) -> list[dict[str, Any]]:
    lines: list[bytes] = []
    desk.answer(request, lines.append, lambda: gone)
    return [json.loads(line) for line in lines]


def test_work_that_takes_too_long_is_stopped(desk: Callable[..., Desk]) -> None:
    one = desk(seconds=1.5)
    start = time.monotonic()
    parts = answer(one, SLOW)
    assert parts[-1]["message"] == "this takes longer than 1.5 seconds, the limit of this page"
    assert time.monotonic() - start < 10
    one.seconds = 60
    assert [part["part"] for part in answer(one)][-1] == "steps"


def test_work_for_a_page_that_is_gone_is_stopped(desk: Callable[..., Desk]) -> None:
    one = desk(places=1, patience=0.1)
    start = time.monotonic()
    answer(one, SLOW, gone=True)
    assert time.monotonic() - start < 10
    assert [part["part"] for part in answer(one)][-1] == "steps"


def test_a_closed_connection_takes_the_question_back(server: PageServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("POST", "/answers", SLOW, {"Content-Type": "application/json"})
    connection.close()
    assert post(server)[0] == 200


def test_a_worker_that_dies_is_replaced(desk: Callable[..., Desk]) -> None:
    one = desk(places=1)
    one._idle[0]._process.kill()
    (part,) = answer(one)
    assert part["message"] == "this was too much for the process that works on it"
    assert [part["part"] for part in answer(one)][-1] == "steps"


def test_a_closed_desk_leaves_no_process(desk: Callable[..., Desk]) -> None:
    one = desk()
    answer(one)
    (worker,) = one._all
    one.close()
    assert worker._process.returncode is not None


# ---- starting --------------------------------------------------------------------------


def test_a_port_in_use_is_an_error_with_its_reason(server: PageServer) -> None:
    with pytest.raises(MatderivError, match=f"port {server.server_port} cannot be used"):
        serve(server.server_port, open_browser=False)
    with pytest.raises(MatderivError, match="a port is a number from 0 to 65535"):
        serve(70_000, open_browser=False)


def test_the_address_is_printed_and_opened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []

    def interrupted(self: PageServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(PageServer, "serve_forever", interrupted)
    serve(0, state={"f": "x' x", "wrt": ["x"]})
    assert opened[0].endswith("/#f=x%27+x&wrt=x")
    assert opened[0] in capsys.readouterr().out
