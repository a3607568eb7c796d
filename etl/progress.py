"""Progress of long work: a bar on a terminal, a quiet log line now and then without one; it measures nothing itself."""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from etl.clock import Clock

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

LINE_EVERY_S = 10.0
_log = logging.getLogger(__name__)


class Task:
    """One piece of work, such as the pages of a portal; may be updated from any thread."""

    def __init__(self, progress: Progress, name: str, total: int | None) -> None:
        """Belong to a progress; `total` is None while nobody knows how much there is."""
        self._progress = progress
        self.name = name
        self.done = 0
        self.total = total
        self.bar_id: int | None = None

    def update(self, done: int, total: int | None = None) -> None:
        """Say how much is done now, and how much there is in all if that is known (better)."""
        self.done = done
        self.total = self.total if total is None else total
        self._progress.show(self)

    def __str__(self) -> str:
        """Return the words of a log line: `pages of academy: 120 of 400`."""
        return f"{self.name}: {self.done:,} of {self.total:,}" if self.total else f"{self.name}: {self.done:,}"


class Progress:
    """A context in which tasks show how far they are."""

    def __init__(self, *, clock: Clock, quiet: bool = False, stream: TextIO | None = None) -> None:
        """Show on the stream, which is standard error; `quiet` shows nothing."""
        self._clock = clock
        self._quiet = quiet
        self._stream = stream
        self._lock = threading.Lock()
        self._bar: Bar | None = None
        self._next_line = 0.0

    def __enter__(self) -> Self:
        """Begin; on a terminal the bar appears."""
        stream = self._stream or sys.stderr
        if not self._quiet and stream.isatty():
            self._bar = _bar(stream)
            self._bar.start()
        self._next_line = self._clock.monotonic() + LINE_EVERY_S
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; the bar disappears and leaves no trace."""
        with self._lock:
            bar, self._bar = self._bar, None
        if bar is not None:
            bar.stop()

    def task(self, name: str, total: int | None = None) -> Task:
        """Begin a piece of work; the name is what a person reads in front of the numbers."""
        task = Task(self, name, total)
        with self._lock:
            if self._bar is not None:
                task.bar_id = self._bar.add_task(name, total=total)
        return task

    def show(self, task: Task) -> None:
        """Show a task's numbers: on the bar at once, in the log at most one line in ten seconds."""
        with self._lock:
            if self._bar is not None and task.bar_id is not None:
                self._bar.update(task.bar_id, completed=task.done, total=task.total)  # type: ignore[arg-type]
                return
            now = self._clock.monotonic()
            if self._quiet or now < self._next_line:
                return
            self._next_line = now + LINE_EVERY_S
            line = str(task)
        _log.info("%s", line)


def _bar(stream: TextIO) -> Bar:
    from rich.console import Console  # noqa: PLC0415 -- only a terminal needs it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(file=stream), transient=True)
