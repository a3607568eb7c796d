"""The body of an answer: what a cut, a dripping or a swollen one leads to, and who may read it."""

from __future__ import annotations

import gzip
from threading import Event
from time import sleep

import pytest
import requests
from http_stage import Asked, Caller, Reply, Stage, StillClock, serving

from etl import session
from etl.errors import SourceUntrusted, Unavailable

OK = Reply(body=b'{"fine": 1}')


def test_a_lost_connection_is_asked_again() -> None:
    """A connection closed without an answer is tried again for a GET."""
    with serving(Reply(drop=True), OK) as call:
        assert call().status_code == 200


def test_a_body_shorter_than_announced_is_asked_again() -> None:
    """Content-Length larger than what came is a cut body, not a short one."""
    with serving(Reply(body=b'{"half":', length=100), OK) as call:
        assert call().content == b'{"fine": 1}'


def test_a_body_cut_for_ever_is_unavailable() -> None:
    """A body that is always cut is never handed over."""
    with serving(Reply(body=b"half", length=100)) as call, pytest.raises(Unavailable, match="cut after 4 bytes"):
        call()


def test_cut_chunks_are_noticed() -> None:
    """A chunked body without its end is a cut body."""
    with serving(Reply(body=b"5\r\nhello\r\n", headers={"Transfer-Encoding": "chunked"}, length=None), OK) as call:
        assert call().content == b'{"fine": 1}'


def test_cut_gzip_is_noticed_or_shorter() -> None:
    """Bytes that are no gzip, though announced, are a broken answer and asked for again."""
    with serving(Reply(body=b"no gzip at all", headers={"Content-Encoding": "gzip"}), OK) as call:
        assert call().content == b'{"fine": 1}'


def test_gzip_is_decoded_and_bounded() -> None:
    """A small gzip that swells beyond the bound is refused before it fills the memory."""
    body = gzip.compress(b"0" * 5_000_000)
    with serving(Reply(body=body, headers={"Content-Encoding": "gzip"})) as call:
        assert len(call().content) == 5_000_000
        with pytest.raises(session.OversizedAnswer):
            call(max_bytes=1_000_000)


def test_a_dripping_body_is_given_up() -> None:
    """A body that drips a byte at a time is given up when the whole answer's time is over."""
    time = StillClock()

    def drip() -> None:
        sleep(0.02)  # so that the reader is at it while it drips
        time.seconds += 7

    with serving(Reply(body=b"x" * 64, pieces=drip), OK) as call:
        call.time = time
        assert call(patience=session.Patience(answer_s=20)).content == b'{"fine": 1}'


def test_silence_is_bounded() -> None:
    """A server that takes the request and stays silent is a timeout, not a hang."""
    heard_enough = Event()

    def silent(_asked: Asked) -> Reply:
        heard_enough.wait(3)
        return Reply()

    with Stage(silent) as stage:
        call = Caller(stage)
        with pytest.raises(Unavailable):
            call(patience=session.Patience(attempts=1, read_s=0.2))
        heard_enough.set()
        call.http.close()


def test_an_answer_found_wanting_is_asked_for_again() -> None:
    """The caller can send an answer back; when none will do, the error it named is raised."""

    def wanting(response: requests.Response) -> None:
        if response.content == b"{}":
            raise session.RetryableAnswer("an empty answer", final=SourceUntrusted("always empty"))

    with serving(Reply(), OK) as call:
        assert call(accept=wanting).content == b'{"fine": 1}'
    with serving(Reply()) as call, pytest.raises(SourceUntrusted, match="always empty"):
        call(accept=wanting)


def test_a_stream_is_read_by_the_caller_within_the_attempt() -> None:
    """A caller that reads the body itself is called again when the body was cut."""
    got: list[bytes] = []
    time = StillClock()

    def consume(response: requests.Response) -> None:
        got.clear()
        got.extend(session.chunks(response, clock=time.clock, seconds=60))

    with serving(Reply(body=b"half", length=100), OK) as call:
        call(consume=consume)
        assert b"".join(got) == b'{"fine": 1}'


def test_connections_are_reused() -> None:
    """A body read to its end gives its connection back: two calls use one."""
    with serving(OK) as call:
        call()
        call()
        assert len({asked.port for asked in call.stage.asked}) == 1
