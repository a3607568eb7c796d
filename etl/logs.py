"""Logging: lines for people or machines on standard error, without secrets, values in tracebacks, or forged lines.

It decides no exit code and writes no file. `Logs` sets the root logger up and puts it back on `close`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO

from etl.errors import SyncError
from etl.veil import MASK, TOKENS, forms

Style = Literal["text", "json"]
_SHORT = 4
_MOST_FRAMES = 60
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Mask:
    """Replaces every known secret, in each form it may have in a log, and whatever looks like a token."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Begin with these secrets."""
        self._known: set[str] = set()
        self._pattern = re.compile(TOKENS, re.DOTALL)
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Conceal more secrets from now on; the empty text is none."""
        for secret in secrets:
            if secret.strip():
                self._known.update(forms(secret))
        longest_first = sorted(self._known, key=len, reverse=True)
        # a very short secret is masked as a word of its own only, or no line could be read any more
        parts = [re.escape(one) if len(one) >= _SHORT else rf"(?<!\w){re.escape(one)}(?!\w)" for one in longest_first]
        self._pattern = re.compile("|".join((*parts, TOKENS)), re.DOTALL)

    def __call__(self, text: str) -> str:
        """Return the text with every secret replaced."""
        return self._pattern.sub(MASK, text)


def escape(text: str) -> str:
    """Return a text that stays on one line and moves no cursor: control and direction characters are escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c.encode("unicode_escape").decode() if _moves(c) else c for c in text)


def _moves(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} or char in _BIDI


def traceback_lines(error: BaseException) -> Iterator[str]:
    """Yield the traceback of an error and its causes without values: places, code and types.

    The message of an error is shown only for our own errors, which are written to be read; others quote values.
    """
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield from _frames(one.__traceback__)
        name = f"{type(one).__module__}.{type(one).__qualname__}"
        yield f"{name}: {one}" if isinstance(one, SyncError) else f"{name} (its message is withheld)"
        cause = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        if cause is not None and id(cause) not in seen:
            yield "caused by:" if one.__cause__ is not None else "while handling:"
        one = cause


def _frames(tb: TracebackType | None) -> Iterator[str]:
    for frame in traceback.extract_tb(tb)[-_MOST_FRAMES:]:
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
        if frame.line:
            yield f"    {frame.line}"


class _Lines(logging.Formatter):
    """What both styles share: the stamp, the masked message, the extra fields, the traceback."""

    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self.logs = logs

    def message(self, record: logging.LogRecord) -> str:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 -- a wrong log call must neither stop a run nor print its arguments
            text = f"{record.msg} (its values do not fit)"
        return self.logs.mask(text)

    def stamp(self, record: logging.LogRecord) -> str:
        return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    def trace(self, record: logging.LogRecord) -> list[str]:
        error = record.exc_info[1] if record.exc_info else None
        return [self.logs.mask(line) for line in traceback_lines(error)] if error else []


class _Text(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        first = f"{self.stamp(record)} {record.levelname:<7} {escape(self.message(record))}"
        return "\n".join((first, *("    " + escape(line) for line in self.trace(record))))


class _Json(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.stamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
            "run_id": self.logs.run_id,
        }
        for key, value in vars(record).items():
            if key not in _STANDARD and key not in line:
                line[key] = self.plain(value)
        trace = self.trace(record)
        if trace:
            line["exception"] = "\n".join(trace)
        return json.dumps(line)

    def plain(self, value: object) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return {self.logs.mask(str(key)): self.plain(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.plain(inner) for inner in value]
        return self.logs.mask(str(value))


class _Handler(logging.Handler):
    """Writes to standard error as it is at that moment, so that a progress bar can step aside."""

    def __init__(self, logs: Logs, stream: TextIO | None) -> None:
        super().__init__()
        self.logs = logs
        self.stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        try:
            stream = self.stream or sys.stderr
            stream.write(self.logs.formatters[self.logs.style].format(record) + "\n")
            stream.flush()
        except Exception:  # noqa: BLE001 -- a log that cannot be written must not stop a run; nor print its values
            return


class Logs:
    """The log of this process while it is open: its style, how much it says, which run it belongs to."""

    def __init__(self, *, stream: TextIO | None = None, style: Style = "text", verbosity: int = 0) -> None:
        """Take the root logger over; `verbosity` is 1 for debug, -1 for warnings only; the stream is standard error."""
        self.mask = Mask()
        self.style: Style = style
        self.run_id: str | None = None
        self.formatters: dict[Style, _Lines] = {"text": _Text(self), "json": _Json(self)}
        self._handler = _Handler(self, stream)
        root = logging.getLogger()
        self._before = (root.level, logging.getLogger("etl").level, threading.excepthook)
        root.addHandler(self._handler)
        logging.captureWarnings(capture=True)
        threading.excepthook = self._thread_died
        self.verbosity = verbosity

    @property
    def verbosity(self) -> int:
        """1: debug, 0: what happens, -1: warnings only."""
        return self._verbosity

    @verbosity.setter
    def verbosity(self, value: int) -> None:
        self._verbosity = value
        ours = logging.DEBUG if value > 0 else logging.WARNING if value < 0 else logging.INFO
        logging.getLogger("etl").setLevel(ours)
        logging.getLogger().setLevel(logging.WARNING if value > 0 else logging.ERROR)  # other people's libraries

    def conceal(self, *secrets: str) -> None:
        """Mask these values from now on, in every line."""
        self.mask.add(*secrets)

    def close(self) -> None:
        """Put the root logger back as it was."""
        root_level, our_level, threading.excepthook = self._before
        logging.captureWarnings(capture=False)
        logging.getLogger().removeHandler(self._handler)
        logging.getLogger().setLevel(root_level)
        logging.getLogger("etl").setLevel(our_level)

    @staticmethod
    def _thread_died(args: threading.ExceptHookArgs) -> None:
        error = args.exc_value
        if error is not None and not isinstance(error, SystemExit):
            logging.getLogger("etl").error("a thread died", exc_info=error)
