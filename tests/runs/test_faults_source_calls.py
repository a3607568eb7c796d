"""A LearnUpon that is slow, down, counts requests, takes the key back (S13-S18, S29): how long it is waited for."""

from __future__ import annotations

import email.utils
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from requests.adapters import BaseAdapter, HTTPAdapter
from runs.school import School
from runs.small_world import stopped
from runs.stage import CONTACT_ROWS
from runs.told import told
from salesforce_kit import QuickClock

from etl.clock import Clock
from etl.emulator.faults import Fault

_HASTE = 400
"""How many times sooner a silence is given up here than in earnest: 60 s are 150 ms."""


class _Hasty(HTTPAdapter):
    """Carries requests as ever, with all patience cut down."""

    def send(self, request: Any, **given: Any) -> Any:  # type: ignore[override] # all are given by name
        """Send, and wait a small part of the time for an answer."""
        given["timeout"] = tuple(part / _HASTE for part in given["timeout"])
        return super().send(request, **given)


def _hasty(pool: int) -> BaseAdapter:
    return _Hasty(pool_maxsize=pool)


def _fast() -> Clock:
    """Return a clock on which time passes so much faster, and sleeping is over so much sooner."""
    return Clock(monotonic=lambda: time.monotonic() * _HASTE, sleep=lambda seconds: time.sleep(seconds / _HASTE))


def _later(seconds: int) -> str:
    return email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.fault("S13")
@pytest.mark.parametrize(
    ("header", "waited"),
    [({"Retry-After": "30"}, 30), ({"Retry-After": "at"}, 30), ({}, 1)],
    ids=["seconds", "a date", "no word"],
)
def test_a_portal_that_asks_to_wait(school: School, header: dict[str, str], waited: int) -> None:
    """After a 429 the portal is left alone for as long as it says, then read to its end: 0."""
    told_when = {name: _later(31) if text == "at" else text for name, text in header.items()}
    school.answer("/academy/.*/users", 429, "{}")
    school.faults.clear()
    school.faults.add(Fault(match="/academy/.*/users", status=429, body="{}", headers=told_when))
    time = QuickClock()
    result = school.stage.run(clock=time.clock())
    assert (result.code, result.effects, result.ingest_jobs) == (0, [], []), result.err
    assert sum(time.slept) >= waited * 0.75
    assert "HTTP 429" in result.err
    assert "attempt 1 of 5 failed" in result.err


@pytest.mark.fault("S13")
@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"Retry-After": "86400"}, ("asked to wait 86400 s (Retry-After)", "more than the 900 s")),
        ({"Retry-After": "in a while"}, ("5 attempts", "HTTP 429")),
        pytest.param({"Retry-After": "200"}, ("asked to wait 200 s", "more than the 900 s"), marks=pytest.mark.long),
    ],
    ids=["a day", "no time", "again and again"],
)
def test_a_portal_that_asks_for_too_much_patience(
    school: School, header: dict[str, str], words: tuple[str, ...]
) -> None:
    """A wait beyond what a call may wait in all is not begun, and a 429 for ever is given up: 69, run again later."""
    school.answer("/academy/.*/users", 429, "{}", **header)
    school.barred(69, "/academy/api/v1/users", *words, "run again later")


@pytest.mark.fault("S14")
@pytest.mark.parametrize("left", ["11"])
def test_a_week_that_is_nearly_spent(school: School, left: str) -> None:
    """A read that the week's allowance would not last for is not begun, so that others keep some: 75, both numbers."""
    school.only("/academy/", headers={"X-LU-Rate-Limit-Remaining-Week": left})
    result = school.barred(75, "portal academy", "more calls are needed", f"{left} are left", "run again later")
    assert len([call for call in result.learnupon_calls if "/academy/" in call.target]) <= 4


@pytest.mark.fault("S15", "S18", "S19")
@pytest.mark.parametrize(
    "fault",
    [
        {"when": "before", "status": 502, "body": "<html>Bad gateway</html>"},
        {"close_after_bytes": 50},
        pytest.param({"when": "before", "status": 500, "body": "oops"}, marks=pytest.mark.long),
        pytest.param({"when": "before", "status": 503, "body": ""}, marks=pytest.mark.long),
        pytest.param({"when": "before", "reset": True}, marks=pytest.mark.long),
        pytest.param({"close_after_bytes": 50, "honest_length": False}, marks=pytest.mark.long),
    ],
    ids=["502", "cut", "500", "503", "reset", "cut without a length"],
)
def test_a_hiccup_on_every_page(school: School, fault: dict[str, Any]) -> None:
    """An error, a reset or a cut body in one place costs another attempt each and nothing else: all is read, 0."""
    school.faults.clear()
    for where in ("/users.*page=1", "/users.*page=2", "/enrollments/search", "/courses", "/learning_paths", "/portals"):
        school.faults.add(Fault.from_json({"match": f"/academy/.*{where}", "when": "mid", **fault}))
    result = school.unmoved()
    assert len(school.faults.fired) >= 6
    assert result.err.count("attempt 1 of 5 failed") == 6
    school.faults.fired.clear()


@pytest.mark.fault("S16", "S18", "S19")
@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ({"when": "before", "status": 500, "body": "oops"}, 69, ("5 attempts", "HTTP 500 oops", "run again later")),
        pytest.param({"when": "before", "reset": True}, 69, ("5 attempts", "run again later"), marks=pytest.mark.long),
        pytest.param({"close_after_bytes": 50}, 69, ("5 attempts", "cut after 50 bytes"), marks=pytest.mark.long),
        ({"close_after_bytes": 50, "honest_length": False}, 65, ("malformed JSON of 50 bytes",)),
    ],
    ids=["500", "reset", "cut", "cut without a length"],
)
def test_a_fault_for_ever(school: School, fault: dict[str, Any], code: int, words: tuple[str, ...]) -> None:
    """What does not pass is given up after five attempts: 69, or 65 for JSON that always ends too early."""
    place = f"/academy/api/v1/enrollments/search?course_id={school.world.second_course}"
    school.only(place.replace("?", "[?]"), **fault)
    result = school.barred(code, "/enrollments/search", *words)
    assert len(result.asked(place)) == 5


@contextmanager
def _dripping() -> Iterator[str]:
    """Serve an answer of which a byte comes now and then, and never the last."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip(client: socket.socket) -> None:
            with client:
                try:
                    client.recv(65536)
                    client.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
                    )
                    while not ended.wait(0.02):
                        client.sendall(b" ")
                except OSError:
                    return

        def serve() -> None:
            while not ended.is_set():
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=drip, args=(client,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        ended.set()
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def _silent() -> Iterator[str]:
    """Take a connection and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def _unreachable() -> Iterator[str]:
    """Take no connection: the queue of those that wait to be taken is full."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.fault("S17")
@pytest.mark.parametrize(
    ("server", "words"),
    [
        (_unreachable, ("no answer (ConnectTimeoutError)",)),
        (_silent, ("no answer (ReadTimeoutError)",)),
        (_dripping, ("the answer was not complete after 120 s",)),
    ],
    ids=["no connection", "no word", "a byte now and then"],
)
def test_a_portal_that_never_answers(school: School, server: Callable[[], Any], words: tuple[str, ...]) -> None:
    """A silence while connecting, before or within an answer is given up, and the call after a bounded time: 69."""
    portal = school.stage.settings["portals"][0]
    before = portal["url"]
    with server() as url:
        portal["url"] = url
        began = time.monotonic()
        result = school.stage.run(clock=_fast(), transport=_hasty)
        portal["url"] = before
    assert time.monotonic() - began < 20
    stopped(result, 69)
    told(result, 69, "GET 127.0.0.1/api/v1/portals", "no usable answer after", *words, "run again later")


@pytest.mark.fault("S29")
@pytest.mark.parametrize(("place", "nth"), [("/users", 2), ("/enrollments/search", 3), ("/enrollments/[0-9]+", 1)])
def test_a_key_taken_back_on_the_way(school: School, place: str, nth: int) -> None:
    """A key pair refused after many good pages, or at a question by id, ends the run: 77, nothing written."""
    course = school.world.second_course
    school.answer(f"/academy/.*/search.*course_id={course}", 200, '{"enrollments": []}', LU_Has_Next_Page="false")
    if "[0-9]" not in place:
        school.faults.clear()
    refusal = '{"message": "HTTP Basic: Access denied.", "response_code": 401}'
    school.faults.add(Fault(match=f"/academy/.*{place}", nth=nth, status=401, body=refusal, times=None))
    school.barred(
        77, "portal academy", "HTTP 401, the key pair was refused", "check username and password of portal academy"
    )
    assert len(school.stage.rows(CONTACT_ROWS)) == 5
