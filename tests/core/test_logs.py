"""Logs: two styles, masked secrets in every form, tracebacks without values, and lines nobody can forge."""

from __future__ import annotations

import base64
import io
import json
import logging
import threading
import traceback
import urllib.parse
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import Unavailable
from etl.logs import Logs, Mask, Style, escape, traceback_lines
from etl.veil import MASK

SECRET = "p/ss wörd'\"&=ü+7"
ours = logging.getLogger("etl.test")


@contextmanager
def logging_to(style: Style = "text", verbosity: int = 0) -> Iterator[tuple[Logs, io.StringIO]]:
    """Open a log on a stream of its own, and close it again."""
    stream = io.StringIO()
    logs = Logs(stream=stream, style=style, verbosity=verbosity)
    try:
        yield logs, stream
    finally:
        logs.close()


def test_a_text_line_is_time_level_and_message() -> None:
    """The time is UTC with a Z, then the level, then the words."""
    with logging_to() as (_, stream):
        ours.info("read %d pages", 12)
    assert stream.getvalue().endswith("Z INFO    read 12 pages\n")
    assert stream.getvalue()[10] == "T"


def test_a_json_line_is_one_object_with_the_extra_fields() -> None:
    """Time, level, logger, message, run id, then whatever the call added; values that JSON lacks become text."""
    with logging_to("json") as (logs, stream):
        logs.run_id = "20260101T000000Z-abcd"
        ours.warning("job ended", extra={"job": "750x", "rows": 3, "ids": {1}, "by": {"a": ours}})
    line = json.loads(stream.getvalue())
    assert list(line)[:5] == ["time", "level", "logger", "message", "run_id"]
    assert (line["level"], line["logger"], line["run_id"]) == ("warning", "etl.test", "20260101T000000Z-abcd")
    assert (line["job"], line["rows"], line["ids"]) == ("750x", 3, [1])
    assert isinstance(line["by"]["a"], str)
    assert len(line) == 9


@pytest.mark.parametrize(
    ("verbosity", "ours_shown", "others_shown"),
    [
        (1, "debug info warning error", "warning error"),
        (0, "info warning error", "error"),
        (-1, "warning error", "error"),
    ],
)
def test_how_much_is_said(verbosity: int, ours_shown: str, others_shown: str) -> None:
    """-v adds debug, -q leaves warnings only, and other people's libraries say little in all three."""
    with logging_to(verbosity=verbosity) as (_, stream):
        for level in ("debug", "info", "warning", "error"):
            getattr(ours, level)("ours %s", level)
            getattr(logging.getLogger("urllib3.connectionpool"), level)("theirs %s", level)
    said = [line.split(" ", 1)[1].split() for line in stream.getvalue().splitlines()]
    assert " ".join(words[2] for words in said if words[1] == "ours") == ours_shown
    assert " ".join(words[2] for words in said if words[1] == "theirs") == others_shown


FORMS: list[Callable[[str], str]] = [
    str,
    repr,
    json.dumps,
    urllib.parse.quote,
    urllib.parse.quote_plus,
    lambda secret: urllib.parse.quote(secret, safe=""),
    lambda secret: urllib.parse.urlencode({"password": secret}),
    lambda secret: str({"password": secret}),
    lambda secret: base64.b64encode(f"user:{secret}".encode()).decode(),
]


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_every_form(form: Callable[[str], str], style: Style) -> None:
    """Plain, quoted, URL-encoded, as JSON, as Basic credentials: in the message, its arguments and extra fields."""
    shown = form(SECRET)
    with logging_to(style) as (logs, stream):
        logs.conceal(SECRET, base64.b64encode(f"user:{SECRET}".encode()).decode())
        ours.info("plain " + shown)
        ours.info("argument %s", shown)
        ours.info("extra", extra={"detail": shown, "deep": [{"x": shown}], "object": Unavailable(shown)})
    logged = stream.getvalue()
    texts = [logged] if style == "text" else [str(json.loads(line)) for line in logged.splitlines()]
    for text in texts:
        assert shown not in text
        assert SECRET not in text
        assert "wörd" not in text
        assert MASK in text or style == "json"


@given(secret=st.text(st.characters(exclude_characters="*"), min_size=4).filter(str.strip), around=st.text(max_size=5))
def test_no_secret_of_any_characters_survives(secret: str, around: str) -> None:
    """Whatever characters a secret has, it is gone from the masked text."""
    masked = Mask([secret])(f"{around}|{secret}|{around}")
    assert secret not in masked


def test_a_short_secret_is_masked_as_a_word() -> None:
    """A secret of one letter would otherwise black out every line."""
    assert Mask(["a"])("a cat has a b") == f"{MASK} cat has {MASK} b"


def test_the_longest_secret_goes_first() -> None:
    """A secret inside another leaves nothing of the longer one."""
    assert Mask(["abcd", "abcdefgh", " "])("x abcdefgh y") == f"x {MASK} y"


@pytest.mark.parametrize(
    "token",
    [
        "00D5g000004xyzA!AQ0AQFz.x_y",
        "00D5g000004xyzAEAQ!AQ0AQ",
        "Authorization: Bearer abc.def",
        "Authorization: Basic dXNlcjpwYXNz",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl",
        "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
    ],
)
def test_what_looks_like_a_token_is_masked_unknown(token: str) -> None:
    """Sessions are born during a run, so their form is known to the mask, not their value."""
    masked = Mask()(f"before {token} after")
    assert MASK in masked
    for part in ("AQ0AQ", "abc.def", "dXNlcjpwYXNz", "c2lnbmF0dXJl", "MIIE"):
        assert part not in masked


def _fail(value: str) -> None:
    try:
        int(value)
    except ValueError as error:
        raise KeyError(value) from error


def _traceback_of(action: Callable[[], object]) -> Exception:
    try:
        action()
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is what the test wants
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_traceback_shows_places_and_types_but_no_values(style: Style) -> None:
    """Messages of errors that are not ours quote the values they stumbled over: they are withheld, causes too."""
    person = "jane@example.com"
    error = _traceback_of(lambda: _fail(person))
    assert person in "".join(traceback.format_exception(error))
    with logging_to(style) as (_, stream):
        ours.error("unexpected", exc_info=error)
    logged = stream.getvalue()
    assert person not in logged
    for part in ("builtins.KeyError", "builtins.ValueError", "caused by", "in _fail", "int(value)"):
        assert part in logged


def test_our_own_errors_keep_their_message_in_a_traceback() -> None:
    """They are written to be read; a secret in them is masked all the same."""
    with logging_to() as (logs, stream):
        logs.conceal("hunter22")
        ours.error("stopped", exc_info=Unavailable("LearnUpon is away, hunter22"))
    assert f"etl.errors.Unavailable: LearnUpon is away, {MASK}" in stream.getvalue()


def test_a_circle_of_causes_ends() -> None:
    """An error that is its own cause's cause is told once."""
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    assert len(list(traceback_lines(first))) == 3


@pytest.mark.parametrize(
    "evil", ["a\nERROR forged", "a\r\nforged", "\x1b[2Jgone", "\u2028forged", "\u202egnp.exe", "\x85x", "\x00"]
)
def test_a_message_stays_on_its_line(evil: str) -> None:
    """Line ends, escapes, NULs and direction marks from data are shown as escapes."""
    for style in ("text", "json"):
        with logging_to("text" if style == "text" else "json") as (_, stream):
            ours.info("name %s", evil)
        logged = stream.getvalue()
        assert len(logged.splitlines()) == 1
        assert logged.removesuffix("\n").isprintable()


@given(st.text())
def test_escaping_leaves_nothing_that_moves(text: str) -> None:
    """Every text becomes one line, and text without control characters stays as it is."""
    shown = escape(text)
    assert len(shown.splitlines()) <= 1
    assert escape(shown) == shown


def test_a_wrong_log_call_stops_nothing_and_prints_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that do not fit their message are left out, and the standard library says nothing either."""
    wrong = logging.LogRecord("etl", logging.INFO, "x.py", 1, "%d rows", ("jane@example.com",), None)
    with logging_to() as (logs, stream):
        logs._handler.handle(wrong)  # not by the logger: pytest's own handler would raise
    assert "do not fit" in stream.getvalue()
    assert "jane" not in stream.getvalue() + "".join(capsys.readouterr())


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    """A closed standard error is no reason to end a run half-way."""
    with logging_to() as (_, stream):
        stream.close()
        ours.info("unheard")


def test_a_thread_that_dies_and_a_warning_go_to_the_log_without_values() -> None:
    """Both would otherwise print to standard error as Python likes."""
    person = "jane@example.com"

    def die() -> None:
        raise ValueError(person)

    with logging_to(verbosity=1) as (_, stream), warnings.catch_warnings():
        warnings.simplefilter("always")
        thread = threading.Thread(target=die)
        thread.start()
        thread.join()
        warnings.warn("old things", UserWarning, stacklevel=1)
    assert "a thread died" in stream.getvalue()
    assert "old things" in stream.getvalue()
    assert "jane" not in stream.getvalue()


def test_closing_puts_everything_back() -> None:
    """After the log is closed the process logs as before."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers), threading.excepthook, logging.getLogger("etl").level)
    with logging_to():
        assert (root.level, list(root.handlers)) != before[:2]
    assert (root.level, list(root.handlers), threading.excepthook, logging.getLogger("etl").level) == before
