"""The emulators' server: HTTP as clients speak it, faults on the wire, and the back door."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator

import pytest
import requests

from etl.emulator.faults import Fault
from etl.emulator.server import Request, Response, Server


class Echo:
    """An app that says what it was asked and counts how often."""

    name = "echo"

    def __init__(self) -> None:
        """Start at zero."""
        self.asked = 0
        self.knobs = {"asked": lambda value: setattr(self, "asked", value)}
        self.ticks = {"reset": self.reset}

    def reset(self, to: int = 0) -> int:
        """Set the count."""
        self.asked = to
        return self.asked

    def state(self, query: dict[str, list[str]]) -> dict[str, object]:
        """Tell the count."""
        return {"asked": self.asked, "query": query}

    def handle(self, request: Request) -> Response:
        """Answer with the request."""
        self.asked += 1
        if request.path == "/broken":
            raise RuntimeError("broken")
        value = {"path": request.path, "query": request.query, "size": len(request.body), "pad": "x" * 3000}
        return Response.json(value, headers=[("X-Kind", "echo")])


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of an echo."""
    with Server(Echo()) as started:
        yield started


def get(server: Server, path: str) -> requests.Response:
    """Ask once."""
    return requests.get(server.url + path, timeout=10)


def test_the_path_is_decoded_and_the_query_kept_whole(server: Server) -> None:
    """An app sees decoded paths and every value of a repeated parameter."""
    seen = get(server, "/a%20b?x=1&x=2&y=").json()
    assert (seen["path"], seen["query"]) == ("/a b", {"x": ["1", "2"], "y": [""]})


def test_chunked_and_gzipped_bodies_arrive_whole(server: Server) -> None:
    """Jsforce uploads in chunks; REST takes Content-Encoding: gzip."""
    chunks = iter([b"a" * 70_000, b"b" * 5])
    assert requests.post(server.url + "/x", data=chunks, timeout=10).json()["size"] == 70_005
    packed = gzip.compress(b"c" * 999)
    answer = requests.post(server.url + "/x", data=packed, headers={"Content-Encoding": "gzip"}, timeout=10)
    assert answer.json()["size"] == 999


def test_only_a_client_that_takes_gzip_gets_it(server: Server) -> None:
    """A body over 1 kB is compressed on request."""
    assert get(server, "/x").headers["Content-Encoding"] == "gzip"
    plain = requests.get(server.url + "/x", headers={"Accept-Encoding": "identity"}, timeout=10)
    assert "Content-Encoding" not in plain.headers
    assert plain.json() == get(server, "/x").json()


def test_another_host_than_loopback_is_refused() -> None:
    """An emulator never listens beyond this machine."""
    with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
        Server(Echo(), host="0.0.0.0")


def test_a_stopped_server_frees_its_port() -> None:
    """After stop nothing answers, also on a connection kept alive."""
    server = Server(Echo()).start()
    session = requests.Session()
    session.get(server.url + "/x", timeout=10)
    server.stop()
    with pytest.raises(requests.ConnectionError):
        session.get(server.url + "/x", timeout=10)
    again = Server(Echo(), port=server.port)
    again.stop()


def test_an_exception_in_an_app_is_a_500_and_kept(server: Server) -> None:
    """Tests can assert that the emulator itself did not fail."""
    assert get(server, "/broken").status_code == 500
    assert [str(error) for error in server.errors] == ["broken"]


def test_a_fault_before_has_no_effect_and_one_after_has(server: Server) -> None:
    """`before` answers instead of the app, `after` in place of its answer."""
    server.faults.add(Fault("GET /x", status=503, body="no"))
    assert (get(server, "/x").status_code, server.app.state({})["asked"]) == (503, 0)  # type: ignore[attr-defined]
    server.faults.add(Fault("GET /x", when="after", status=502))
    assert (get(server, "/x").status_code, server.app.state({})["asked"]) == (502, 1)  # type: ignore[attr-defined]


def test_nth_and_times_choose_the_requests(server: Server) -> None:
    """`nth` counts the matching requests from 1, `times` is how many are hit from there."""
    server.faults.add(Fault("page=", nth=2, times=2, status=500))
    asked = ["/x?page=1", "/other", "/x?page=2", "/x?page=3", "/x?page=4"]
    assert [get(server, path).status_code for path in asked] == [200, 200, 500, 500, 200]
    assert [one.target for one in server.faults.fired] == ["GET /x?page=2", "GET /x?page=3"]


def test_a_mid_fault_alters_the_real_answer(server: Server) -> None:
    """Headers are set and dropped, text replaced, the status kept."""
    fault = Fault("GET /x", when="mid", headers={"X-New": "1"}, drop_headers=["x-kind"], replace=('"size"', '"bulk"'))
    server.faults.add(fault)
    answer = get(server, "/x")
    assert (answer.status_code, answer.headers["X-New"], answer.headers.get("X-Kind")) == (200, "1", None)
    assert "bulk" in answer.json()


def test_a_reset_is_seen_as_a_reset(server: Server) -> None:
    """Without an answer, before or after the effect."""
    for when, asked in (("before", 0), ("after", 1)):
        server.faults.add(Fault("GET /x", when=when, reset=True))
        with pytest.raises(requests.ConnectionError, match="reset"):
            get(server, "/x")
        assert server.app.state({})["asked"] == asked  # type: ignore[attr-defined]


def test_a_cut_body_is_noticed_only_with_an_honest_length(server: Server) -> None:
    """With Content-Length the client sees the cut, close-delimited it does not."""
    server.faults.add(Fault("GET /x", when="mid", close_after_bytes=50))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(server, "/x")
    server.faults.add(Fault("GET /x", when="mid", close_after_bytes=50, honest_length=False))
    assert len(get(server, "/x").content) == 50


def test_a_truncated_request_is_stored_short(server: Server) -> None:
    """An upload can be cut on its way to the app."""
    server.faults.add(Fault("POST /x", truncate_request=7))
    assert requests.post(server.url + "/x", data=b"0123456789", timeout=10).json()["size"] == 7


def test_a_hook_runs_before_the_app(server: Server) -> None:
    """Tests change rows between two pages with it."""
    server.faults.add(Fault("GET /x", hook=lambda _: server.app.reset(40)))  # type: ignore[attr-defined]
    get(server, "/x")
    assert server.app.state({})["asked"] == 41  # type: ignore[attr-defined]


def test_a_dice_fault_is_the_same_for_the_same_seed(server: Server) -> None:
    """`prob` hits some and not all."""
    server.faults.add(Fault("GET /x", times=None, prob=0.5, status=500))
    seen = [get(server, "/x").status_code for _ in range(20)]
    assert set(seen) == {200, 500}


def test_calls_are_counted_but_not_those_of_the_back_door(server: Server) -> None:
    """Tests assert on how often a client asked."""
    get(server, "/x?page=1")
    get(server, "/__calls")
    assert [(call.method, call.target, call.status) for call in server.calls] == [("GET", "/x?page=1", 200)]
    assert (server.requests, get(server, "/__calls").json()[0]["target"]) == (1, "/x?page=1")


def test_faults_knobs_and_ticks_work_over_http(server: Server) -> None:
    """An emulator in a process of its own is steered the same way."""
    faults = [{"match": "GET /x", "status": 418}]
    assert requests.post(server.url + "/__faults", json=faults, timeout=10).json() == [1]
    assert get(server, "/x").status_code == 418
    assert requests.post(server.url + "/__knobs", json={"asked": 9}, timeout=10).json() == ["asked"]
    assert get(server, "/__state?object=X").json() == {"asked": 9, "query": {"object": ["X"]}}
    assert requests.post(server.url + "/__tick", json={"name": "reset", "to": 3}, timeout=10).json() == 3
    server.ledger.add(source="bulk", object="Contact", operation="update", id="003")
    assert get(server, "/__ledger").json()[0]["seq"] == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/__faults", {"match": "x", "wrong": 1}),
        ("/__faults", {"status": 500}),
        ("/__faults", {"match": "(", "status": 500}),
        ("/__faults", {"match": "x", "when": "never"}),
        ("/__knobs", {"wrong": 1}),
        ("/__tick", {"name": "wrong"}),
    ],
)
def test_a_wrong_order_at_the_back_door_is_400(server: Server, path: str, body: dict[str, object]) -> None:
    """A misspelt fault must not pass for one that never fires."""
    assert requests.post(server.url + path, json=body, timeout=10).status_code == 400


def test_a_short_body_is_refused(server: Server) -> None:
    """A client that dies while it uploads leaves no effect."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nshort")
        raw.shutdown(socket.SHUT_WR)
        assert raw.recv(100).startswith(b"HTTP/1.1 400")
    assert server.app.state({})["asked"] == 0  # type: ignore[attr-defined]
