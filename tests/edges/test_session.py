"""One HTTP call: what is retried, how long, what is noticed, and what never leaves the machine."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from http_stage import Asked, Reply, StillClock, chance, serving

from etl import session
from etl.errors import Unavailable

OK = Reply(body=b'{"fine": 1}')


@pytest.mark.parametrize("status", [420, 429, 500, 502, 503, 504])
def test_a_passing_refusal_is_asked_again(status: int) -> None:
    """A transient status once, then an answer, is an answer; both requests are counted."""
    with serving(Reply(status), OK) as call:
        assert call().content == b'{"fine": 1}'
        assert call.calls.sent == 2
        assert len(call.time.slept) == 1


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 501])
def test_other_statuses_are_the_callers(status: int) -> None:
    """What another attempt would not mend is returned at once, whatever it is."""
    with serving(Reply(status, b"")) as call:
        assert call().status_code == status
        assert call.calls.sent == 1


def test_five_attempts_then_unavailable() -> None:
    """A server that is down for ever is given up after five attempts, with numbers and without the query."""
    with serving(Reply(503, b"down for \x1b[31m maintenance")) as call:
        with pytest.raises(
            Unavailable, match=r"GET 127\.0\.0\.1/x: .* after 5 attempts in 1\d s: HTTP 503 down"
        ) as caught:
            call(params={"email": "ann@example.com"})
        assert call.calls.sent == 5
        assert "ann" not in str(caught.value)
        assert "\x1b" not in str(caught.value)


def test_waits_grow_and_jitter() -> None:
    """The waits are about 1, 2, 4 and 8 seconds, none exactly: many clients must not come back together."""
    with serving(Reply(500)) as call:
        with pytest.raises(Unavailable):
            call()
        assert [round(wait / 2**number, 2) != 1 for number, wait in enumerate(call.time.slept)] == [True] * 4
        assert all(0.75 <= wait / 2**number <= 1.25 for number, wait in enumerate(call.time.slept))


def test_thirty_seconds_of_waiting_end_a_call() -> None:
    """A call whose attempts hang is given up once 30 seconds went by, but never before a second attempt."""
    time = StillClock()

    def slow(_asked: Asked) -> Reply:
        time.seconds += 40
        return Reply(504)

    with serving(slow) as call:
        call.time = time
        with pytest.raises(Unavailable, match="after 2 attempts"):
            call()


@pytest.mark.parametrize("value", ["30", "Sun, 22 Nov 2026 03:00:30 GMT"])
def test_retry_after_is_honoured_in_both_forms(value: str) -> None:
    """Seconds and an HTTP date are waited for exactly, beyond the waiting a call may do by itself."""
    with serving(Reply(429, headers={"Retry-After": value}), OK) as call:
        call()
        assert call.time.slept == [30.0]


def test_retry_after_waits_do_not_use_up_the_patience() -> None:
    """Four waits of 120 s asked for by the server are all made: only attempts bound them."""
    with serving(*[Reply(429, headers={"Retry-After": "120"})] * 4, OK) as call:
        assert call().status_code == 200
        assert call.time.slept == [120.0] * 4


def test_a_day_of_retry_after_is_refused() -> None:
    """A wait of 24 hours is not made: the message names it."""
    with serving(Reply(503, headers={"Retry-After": "86400"})) as call:
        with pytest.raises(Unavailable, match="asked to wait 86400 s"):
            call()
        assert call.time.slept == []


@pytest.mark.parametrize("value", ["soon", "-5", "", "Sun, 99 Nov 2026 03:00:30 GMT", "١٢"])
def test_an_unreadable_retry_after_is_none(value: str) -> None:
    """A Retry-After that says nothing leaves the usual wait."""
    response = requests.Response()
    response.headers["Retry-After"] = value
    assert session.retry_after_s(response, StillClock().clock) is None


def test_a_date_is_held_against_the_answers_own() -> None:
    """A Retry-After that is a date means the same wait on a machine whose clock is wrong by years."""
    response = requests.Response()
    response.headers["Retry-After"] = "Sun, 22 Nov 2020 01:00:30 GMT"
    response.headers["Date"] = "Sun, 22 Nov 2020 01:00:00 GMT"
    assert session.retry_after_s(response, StillClock().clock) == 30.0
    response.headers["Date"] = "soon"
    assert session.retry_after_s(response, StillClock().clock) == 0.0


@pytest.mark.parametrize("reply", [Reply(drop=True), Reply(500), Reply(body=b"half", length=9)])
def test_what_must_not_be_repeated_is_not(reply: Reply) -> None:
    """A POST whose answer is lost, cut or a 500 raises AnswerLost after one request: the caller looks it up."""
    with serving(reply, OK) as call:
        with pytest.raises(session.AnswerLost, match=r"POST 127\.0\.0\.1/jobs"):
            call("POST", "/jobs", json={"a": 1})
        assert call.calls.sent == 1


def test_what_was_refused_undone_is_sent_again() -> None:
    """A POST turned away with 429 had no effect, so it is sent again."""
    with serving(Reply(429), OK) as call:
        assert call("POST", json={}).status_code == 200


def test_what_never_arrived_is_sent_again() -> None:
    """A POST that found nobody listening is tried again: nothing can have happened."""
    with serving(OK) as call:
        url = call.stage.url
    with pytest.raises(Unavailable, match="after 5 attempts"):
        session.call(session.http_session(pool=1), "POST", url, clock=StillClock().clock, random=chance())


def test_a_repeatable_post_is_repeated() -> None:
    """A POST that the caller calls repeatable is treated as a GET is."""
    with serving(Reply(drop=True), OK) as call:
        assert call("POST", repeatable=True, data=b"x").status_code == 200


def test_a_file_is_sent_whole_on_every_attempt() -> None:
    """A body given as a function is made anew, so that the second attempt does not send an empty file."""
    with serving(Reply(429), OK) as call:
        call("PUT", data=lambda: io.BytesIO(b"a,b\n1,2\n"))
        assert [asked.body for asked in call.stage.asked] == [b"a,b\n1,2\n"] * 2


def test_redirects_are_returned_and_not_followed() -> None:
    """A redirect is handed to the caller, and nobody at its target hears of the credentials."""
    with serving(OK) as other:
        target = {"Location": other.stage.url + "/elsewhere"}
        with serving(Reply(302, headers=target)) as call:
            assert call(headers={"Authorization": "Basic x"}).status_code == 302
        assert other.stage.asked == []


@pytest.mark.parametrize("location", ["http://[broken", "", "ftp://example.com/x"])
def test_a_strange_redirect_is_only_a_redirect(location: str) -> None:
    """A Location that cannot be read is no reason to fall over."""
    with serving(Reply(302, headers={"Location": location})) as call:
        assert call().status_code == 302


def test_the_environment_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a netrc of the environment touches the request."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login thief password thief\n")
    monkeypatch.setenv("NETRC", os.fspath(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(OK) as call:
        call(headers={"Authorization": "Basic ours"})
        call()
        assert [asked.headers.get("Authorization") for asked in call.stage.asked] == ["Basic ours", None]


def test_cookies_are_not_kept() -> None:
    """A cookie of one answer is not sent with the next request."""
    with serving(Reply(headers={"Set-Cookie": "a=b"}), OK) as call:
        call()
        call()
        assert "Cookie" not in call.stage.asked[1].headers


def test_gzip_is_asked_for() -> None:
    """Every request says that gzip is welcome."""
    with serving(OK) as call:
        call()
        assert "gzip" in call.stage.asked[0].headers["Accept-Encoding"]


class Logbook:
    """A gate that writes down who passes."""

    def __init__(self) -> None:
        """Start empty."""
        self.events: list[Any] = []

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Note the beginning and the end of an attempt."""
        self.events.append("begin")
        yield
        self.events.append("end")

    def before(self) -> None:
        """Note a request."""
        self.events.append("out")

    def after(self, response: requests.Response) -> None:
        """Note an answer."""
        self.events.append(response.status_code)

    def hold(self, seconds: float) -> None:
        """Note a pause."""
        self.events.append(("hold", seconds))


def test_every_attempt_passes_the_gate() -> None:
    """A rate limit sees each request and answer, repeats too, and hears of Retry-After."""
    gate = Logbook()
    with serving(Reply(429, headers={"Retry-After": "3"}), Reply(500), OK) as call:
        call(gate=gate)
    tries = [["begin", "out", status, "end"] for status in (429, 500, 200)]
    assert gate.events == [*tries[0], ("hold", 3.0), *tries[1], *tries[2]]


def test_excerpts_are_short_and_harmless() -> None:
    """An excerpt has at most 80 printable ASCII characters, whatever the body."""
    text = session.excerpt(b"\x1b]0;x\x07" + "Ärger\n".encode() * 90)
    assert len(text) == 80
    assert text.isascii()
    assert text.isprintable()


def test_places_have_no_query_and_no_user() -> None:
    """What messages call a request has neither query nor credentials."""
    assert session.place("get", "https://u:p@acme.example.com/a/b?email=x#y") == "GET acme.example.com/a/b"
