"""The portal's allowance is kept: a minute's, a week's, and whatever Retry-After asks for, by all threads together."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import requests
from http_stage import Reply, StillClock
from scripted_portal import ScriptedPortal, course, small_portal

from etl.clock import Stopped
from etl.errors import QuotaSpent, Unavailable
from etl.learnupon import confirm
from etl.learnupon.rate import MINUTE, WEEK, Rate


def answer(status: int = 200, **headers: str) -> requests.Response:
    """Return an answer with those headers."""
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


def left(minute: int | None = None, week: int | None = None) -> requests.Response:
    """Return a good answer that says how much is left."""
    response = answer()
    if minute is not None:
        response.headers[MINUTE] = str(minute)
    if week is not None:
        response.headers[WEEK] = str(week)
    return response


def test_a_burst_is_allowed_and_no_minute_has_more() -> None:
    """Of 25 requests at 10 a minute, any 60 seconds hold at most 10, and the first 10 go at once."""
    time = StillClock()
    rate = Rate("academy", 10, 4, time.clock)
    sent = []
    for _ in range(25):
        rate.before()
        sent.append(time.seconds)
    assert sent[9] == 0.0
    assert all(sent[number + 10] - sent[number] >= 60 for number in range(15))
    assert sent[24] < 125


def test_the_minute_is_shared_by_threads() -> None:
    """Four threads together send no more than one would."""
    time = StillClock()
    rate = Rate("academy", 10, 4, time.clock)
    sent: list[float] = []

    def send() -> None:
        for _ in range(6):
            rate.before()
            sent.append(time.seconds)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(moment < 60 for moment in sent) == 10


@pytest.mark.parametrize(("minute", "pause"), [(4, True), (0, True), (5, False), (None, False)])
def test_a_minute_nearly_used_up_is_waited_out(minute: int | None, pause: bool) -> None:  # noqa: FBT001
    """When no more are left than threads may have under way, nobody passes until the minute has turned."""
    time = StillClock()
    rate = Rate("academy", 300, 4, time.clock)
    rate.before()
    time.seconds = 20
    rate.after(left(minute=minute))
    rate.before()
    assert (time.seconds >= 60) is pause
    assert time.seconds < 62


def test_an_answer_from_before_the_pause_does_not_prolong_it() -> None:
    """A late answer that was under way when the pause began says nothing new."""
    time = StillClock()
    rate = Rate("academy", 300, 4, time.clock)
    rate.before()
    time.seconds = 1
    rate.after(left(minute=2))
    time.seconds = 59
    rate.after(left(minute=1))
    rate.before()
    assert time.seconds < 62


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5"])
def test_an_unreadable_header_says_nothing(text: str) -> None:
    """A header that is no count is treated as absent: unknown."""
    time = StillClock()
    rate = Rate("academy", 300, 4, time.clock)
    rate.before()
    response = answer()
    response.headers.update({MINUTE: text, WEEK: text})
    rate.after(response)
    rate.before()
    assert time.seconds == 0.0


def test_retry_after_holds_every_thread(tmp_path: Path) -> None:
    """After one 429 with Retry-After no thread sends anything for so long."""
    refused: list[float] = []
    sent: list[float] = []

    with ScriptedPortal() as portal:

        def refuse(_reply: Reply) -> Reply:
            refused.append(portal.time.seconds)
            return Reply(429, b"{}", {"Retry-After": "45"})

        def note(reply: Reply) -> Reply:
            sent.append(portal.time.seconds)
            return reply

        portal.courses = [course(number) for number in range(1, 30)]
        portal.alter("^/(users|enroll|learning)", note)
        portal.alter("course_id=9&", refuse, nth=1)
        portal.read(tmp_path, concurrency=1)
    assert not [moment for moment in sent if refused[0] < moment < refused[0] + 45]


def test_a_429_for_ever_is_unavailable(tmp_path: Path) -> None:
    """A portal that only refuses is given up after five attempts, having waited once for the minute to turn."""
    with small_portal() as portal:
        portal.alter("^/courses", Reply(429, b'{"message": "Number of requests has exceeded the 1 minute limit"}'))
        with pytest.raises(Unavailable, match="after 5 attempts"):
            portal.read(tmp_path, concurrency=1)
        assert 60 <= portal.time.seconds < 120


def test_a_minute_limit_without_retry_after_is_outlived(tmp_path: Path) -> None:
    """A 429 that lasts until the minute has turned, and names no time, does not end the night."""
    with small_portal() as portal:
        limited = Reply(429, b"{}")
        portal.alter("^/courses", lambda reply: limited if portal.time.seconds < 55 else reply)
        assert portal.read(tmp_path).enrollments.rows == 5


def test_a_week_that_would_not_last_stops_before_it_is_gone(tmp_path: Path) -> None:
    """With fewer calls left than courses, the read stops right after the courses are known: 75, with both numbers."""
    with ScriptedPortal(500) as portal:
        portal.courses = [course(number) for number in range(1, 101)]
        portal.headers = {WEEK: "80"}
        with pytest.raises(QuotaSpent, match="at least 101 more calls are needed and 80 are left") as caught:
            portal.read(tmp_path)
        assert caught.value.exit_code == 75
        assert len(portal.asked) == 2


def test_the_week_is_watched_on_the_way(tmp_path: Path) -> None:
    """An allowance that others use up meanwhile stops the read before it is gone."""
    with ScriptedPortal(500) as portal:
        portal.courses = [course(number) for number in range(1, 101)]

        def fewer(reply: Reply) -> Reply:
            reply.headers[WEEK] = str(max(0, 300 - 10 * len(portal.asked)))
            return reply

        portal.alter("", fewer)
        with pytest.raises(QuotaSpent):
            portal.read(tmp_path, concurrency=1)
        assert 2 < len(portal.asked) < 30


def test_a_week_that_lasts_is_used(tmp_path: Path) -> None:
    """With just what is needed and the floor left, the read is made."""
    with small_portal() as portal:
        portal.headers = {WEEK: "14"}
        assert portal.read(tmp_path).enrollments.rows == 5


def test_questions_by_id_count_against_the_week(tmp_path: Path) -> None:
    """Two hundred questions are not begun with a hundred calls left."""
    with small_portal() as portal:
        portal.headers = {WEEK: "100"}
        client = portal.client()
        client.rate.after(left(week=100))
        with pytest.raises(QuotaSpent):
            confirm(client, "enrollments", range(1000, 1200))
        assert portal.asked == []


def test_a_stopped_gate_lets_nobody_wait() -> None:
    """Once the reading is given up, a waiting thread ends instead of waiting on."""
    rate = Rate("academy", 300, 4, StillClock().clock)
    rate.hold(600)
    rate.stop.set()
    with pytest.raises(Stopped):
        rate.before()
