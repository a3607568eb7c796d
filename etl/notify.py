"""Tells others how a run ended: a dead man's switch, a Slack channel, a metrics file; it never changes how it ended.

Only counts and words of our own leave the house, never a learner's data. What cannot be told is a warning in the log.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from pydantic import SecretStr

from etl.clock import Clock
from etl.config import NotifySettings
from etl.errors import Interrupted, SyncError
from etl.interrupt import Interruptions, Signalled
from etl.report.model import Report
from etl.report.wording import headline
from etl.session import LEAVING, Patience, Transport, call, http_session, over_sockets

_log = logging.getLogger(__name__)
_PATIENCE = Patience(attempts=3, waiting_s=10.0, connect_s=5.0, read_s=10.0, longest_retry_after_s=10.0)
_ROWS = ("created", "updated", "deleted", "refused", "rejected", "unconfirmed", "unchanged")


class Notifier:
    """The listeners of one configuration."""

    def __init__(
        self,
        settings: NotifySettings,
        *,
        clock: Clock,
        random: Random,
        transport: Transport = over_sockets,
        signals: Interruptions,
    ) -> None:
        """Say nothing yet."""
        self._settings = settings
        self._signals = signals
        self._clock = clock
        self._random = random
        self._transport = transport
        self._patience = _PATIENCE

    def began(self) -> None:
        """Tell the dead man's switch that a run has begun (`/start`, as healthchecks.io documents it).

        A signal goes its way, unless it is held back.
        """
        ping = self._settings.ping_url
        if ping:
            self._try("ping_url", lambda: self._send("POST", _below(ping, "start"), data=b""))

    def ended(self, report: Report) -> None:
        """Tell everybody how the run ended; the switch gets the exit code (`/0` is well).

        To be called while signals are held back. One that comes changes nothing of what is told, only how long it is
        tried: whoever is silent then is asked once more, and briefly.
        """
        ping, slack, metrics = self._settings.ping_url, self._settings.slack_webhook, self._settings.metrics_file
        words = sentence(report)
        hurried = report.outcome == Interrupted.outcome or self._signals.noted is not None
        self._patience = LEAVING if hurried else _PATIENCE
        if ping:
            self._insist(
                "ping_url", lambda: self._send("POST", _below(ping, str(report.exit_code)), data=words.encode())
            )
        if slack:
            self._insist("slack_webhook", lambda: self._send("POST", slack.get_secret_value(), json={"text": words}))
        if metrics:
            self._try("metrics_file", lambda: _write(metrics, "".join(measures(report))))

    def _insist(self, what: str, tell: Callable[[], None]) -> None:
        """Try, and when a signal cuts that short, once more with little patience."""
        try:
            with self._signals.cutting():
                self._try(what, tell)
        except Signalled:
            self._patience = LEAVING
            self._try(what, tell)

    def _try(self, what: str, tell: Callable[[], None]) -> None:
        try:
            tell()
        except (SyncError, OSError) as error:
            _log.warning("notify.%s could not be told how the run went: %s", what, type(error).__name__)

    def _send(self, method: str, url: str, **request: Any) -> None:
        with http_session(pool=1, transport=self._transport) as session:
            answer = call(
                session, method, url, clock=self._clock, random=self._random, patience=self._patience, repeatable=True,
                max_bytes=1 << 20, **request,
            )  # fmt: skip
        if answer.status_code >= 300:
            raise OSError(f"HTTP {answer.status_code}")


def _below(address: SecretStr, tail: str) -> str:
    base, mark, query = address.get_secret_value().partition("?")
    return f"{base.rstrip('/')}/{tail}{mark}{query}"


def sentence(report: Report) -> str:
    """Return how a run ended in one line of plain words, without anybody's data."""
    head = headline(report)
    return f"learnupon-sync {report.command} {report.run_id}: {head.title} (exit {report.exit_code}). {head.sentence}"


def measures(report: Report) -> Iterator[str]:
    """Yield the lines of a metrics file in Prometheus' text format."""
    yield from _measure("exit_code", "Exit code of the last run.", report.exit_code)
    if report.finished_at is not None:
        yield from _measure("finished_timestamp_seconds", "End of the last run.", report.finished_at.timestamp())
    yield from _measure("duration_seconds", "How long the last run took.", report.seconds or 0.0)
    totals = report.totals
    for name in _ROWS:
        yield from _measure(f"rows_{name}", f"Rows {name} in the last run.", getattr(totals, name))
    for vendor, calls in report.api_calls.items():
        yield from _measure(f"{vendor}_api_calls", f"Requests to {vendor} in the last run.", calls)


def _measure(name: str, words: str, value: float) -> Iterator[str]:
    yield f"# HELP learnupon_sync_{name} {words}\n"
    yield f"# TYPE learnupon_sync_{name} gauge\n"
    yield f"learnupon_sync_{name} {value:.15g}\n"


def _write(path: Path, text: str) -> None:
    """Replace a file at once: the collector must never read half of it."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
