"""Progress: a bar on a terminal, few lines without one, nothing when quiet; safe from any thread."""

from __future__ import annotations

import io
import logging
import threading
from dataclasses import dataclass, field

import pytest

from etl.clock import Clock
from etl.progress import Progress


@dataclass
class Time:
    """A clock that stands still until it is moved."""

    at: float = 100.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> Clock:
        """Return the clock the product is given."""
        return Clock(monotonic=lambda: self.at, sleep=self.slept.append)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_without_a_terminal_there_is_at_most_one_line_in_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    """A log file is not filled with numbers."""
    caplog.set_level(logging.INFO, "etl")
    time = Time()
    with Progress(clock=time.clock(), stream=io.StringIO()) as progress:
        task = progress.task("pages of academy")
        for page in range(251):
            time.at += 0.1
            task.update(page, 4000)
    assert len(caplog.records) == 2
    assert all(record.getMessage().startswith("pages of academy: ") for record in caplog.records)
    assert all(record.getMessage().endswith(" of 4,000") for record in caplog.records)


def test_the_total_may_be_unknown_and_may_grow(caplog: pytest.LogCaptureFixture) -> None:
    """Without a total only what is done is said."""
    caplog.set_level(logging.INFO, "etl")
    time = Time()
    with Progress(clock=time.clock(), stream=io.StringIO()) as progress:
        task = progress.task("rows")
        for done, total in ((5, None), (1234, None), (1300, 2000), (1400, None)):
            time.at += 10
            task.update(done, total)
    assert [record.getMessage() for record in caplog.records] == [
        "rows: 5",
        "rows: 1,234",
        "rows: 1,300 of 2,000",
        "rows: 1,400 of 2,000",
    ]


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_quiet_shows_nothing(stream: io.StringIO, caplog: pytest.LogCaptureFixture) -> None:
    """-q means warnings only."""
    time = Time()
    with Progress(clock=time.clock(), stream=stream, quiet=True) as progress:
        time.at += 60
        progress.task("pages", 3).update(1)
    assert stream.getvalue() == ""
    assert not caplog.records


def test_a_terminal_gets_a_bar_that_goes_away(caplog: pytest.LogCaptureFixture) -> None:
    """The bar shows name and numbers, reads no markup in names, and no log line is written beside it."""
    terminal = Terminal()
    time = Time()
    with Progress(clock=time.clock(), stream=terminal) as progress:
        task = progress.task("pages of [red]x", 400)
        time.at += 60
        task.update(120)
        task.update(400)
    assert "pages of [red]x" in terminal.getvalue()
    assert "400/400" in terminal.getvalue()
    assert not caplog.records
    task.update(401)  # late news after the end is no error


def test_many_threads_may_tell_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """Updates from several threads give one line, not one a thread."""
    caplog.set_level(logging.INFO, "etl")
    time = Time()
    with Progress(clock=time.clock(), stream=io.StringIO()) as progress:
        tasks = [progress.task(f"portal {i}", 100) for i in range(8)]
        time.at += 11
        threads = [threading.Thread(target=lambda task=task: [task.update(i) for i in range(100)]) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(caplog.records) == 1
    assert all(task.done == 99 for task in tasks)
