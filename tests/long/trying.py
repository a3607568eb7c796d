"""Plays many trials in several laboratories at once and says how far it has come; it judges none of them."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from runs.laboratory import Laboratory
from runs.scenarios import SCENARIOS

Trial = TypeVar("Trial")
_TELL_S = 60.0


class Trying:
    """So many laboratories, each with worlds of its own in a folder below `folder`."""

    def __init__(self, folder: Path, count: int, capsys: pytest.CaptureFixture[str]) -> None:
        """Start them."""
        self.violations: list[str] = []
        self._began = time.monotonic()
        self._capsys = capsys
        self._laboratories = [Laboratory(folder / str(number)) for number in range(count)]

    def steps(self) -> dict[str, int]:
        """Return how many steps each scenario takes that nobody disturbs."""
        return {name: len(self._laboratories[0].steps(name)) for name in SCENARIOS}

    def work_off(self, trials: Sequence[Trial], play: Callable[[Laboratory, Trial], None], what: str) -> None:
        """Play every trial; an AssertionError of `play` is a violation. Tells how many `what` once a minute."""
        todo: queue.SimpleQueue[Trial] = queue.SimpleQueue()
        for trial in trials:
            todo.put(trial)
        workers = [threading.Thread(target=self._work, args=(one, todo, play)) for one in self._laboratories]
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            for worker in workers:
                worker.join(_TELL_S / len(workers))
            self.tell(f"{len(trials) - todo.qsize()} of {len(trials)} {what}")
        for one in self._laboratories:
            one.stop()

    def _work(
        self, laboratory: Laboratory, todo: queue.SimpleQueue[Trial], play: Callable[[Laboratory, Trial], None]
    ) -> None:
        while True:
            try:
                trial = todo.get_nowait()
            except queue.Empty:
                return
            try:
                play(laboratory, trial)
            except AssertionError as violation:
                self.violations.append(str(violation))

    def tell(self, words: str) -> None:
        """Print a line, with how many violations there are and how long it took until now."""
        with self._capsys.disabled():
            sys.stdout.write(f"{words}; {len(self.violations)} violations; {time.monotonic() - self._began:.0f} s\n")
            sys.stdout.flush()
