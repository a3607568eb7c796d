"""Plays many stories on several processes and sums up what came of them; it draws and judges nothing itself."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
from simulation.shrink import shrunk, told
from simulation.story import Played, drawn, play

_LONGEST_STORY_S = 300.0
_SHARE = 20


@dataclass
class Sum:
    """What came of many stories."""

    stories: int = 0
    runs: int = 0
    exits: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)
    """What was violated, by seed."""
    cpu_s: float = 0.0

    def add(self, played: Played) -> None:
        """Count one story."""
        self.stories += 1
        self.runs += played.runs
        self.exits += played.exits
        self.fired += played.fired
        if played.violations:
            self.failed[played.story.seed] = played.violations[0]

    def join(self, other: Sum) -> None:
        """Count what another process counted."""
        self.stories += other.stories
        self.runs += other.runs
        self.exits += other.exits
        self.fired += other.fired
        self.failed |= other.failed
        self.cpu_s += other.cpu_s

    def table(self) -> Iterator[str]:
        """Give the sum in lines."""
        yield f"{self.stories:,} stories, {self.runs:,} runs, {self.cpu_s:,.0f} s of CPU, {len(self.failed)} violations"
        yield "exits: " + ", ".join(f"{code}: {number:,}" for code, number in self.exits.most_common())
        yield f"faults that struck: {sum(self.fired.values()):,}"
        kinds = Counter[str]()
        for name, number in self.fired.items():
            kinds[name] += number
        yield from (f"  {number:>7,}  {name}" for name, number in kinds.most_common())


def scratch() -> Path:
    """Return where stages are put up: in memory where there is such a folder, since the disk's patience costs most."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


def share(seeds: list[int], *, sockets: bool) -> Sum:
    """Play some stories in this process."""
    gc.freeze()  # looking again and again through all that was imported would cost a quarter of the time
    begun = time.process_time()
    total = Sum()
    with tempfile.TemporaryDirectory(dir=scratch(), prefix="learnupon-night-") as folder:
        for seed in seeds:
            faulthandler.dump_traceback_later(_LONGEST_STORY_S, exit=True)
            total.add(play(drawn(seed), Path(folder) / "stage", sockets=sockets))
    faulthandler.cancel_dump_traceback_later()
    total.cpu_s = time.process_time() - begun
    return total


def settle_in() -> None:
    """Make the best of a process of its own: one core for arrow, and an end when the one that started it has died."""
    pa.set_cpu_count(1)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent").start()


def many(seeds: Iterable[int], *, processes: int, sockets: bool = False) -> Sum:
    """Play the stories of these seeds and return what came of them; progress goes to standard error."""
    ordered = list(seeds)
    shares = [ordered[start : start + _SHARE] for start in range(0, len(ordered), _SHARE)]
    total = Sum()
    with ProcessPoolExecutor(processes, get_context("spawn"), settle_in) as pool:
        waiting = {pool.submit(share, one, sockets=sockets): one for one in shares}
        for done in as_completed(waiting):
            try:
                total.join(done.result())
            except BrokenProcessPool:
                seeds_there = waiting[done]
                total.failed[seeds_there[0]] = f"a process died or hung on one of the seeds {seeds_there}"
                break
            failed = f", {len(total.failed)} violations {sorted(total.failed)[:8]}" if total.failed else ""
            sys.stderr.write(f"\r{total.stories:,} of {len(ordered):,} stories{failed} ")
            sys.stderr.flush()
    sys.stderr.write("\n")
    return total


def explain(seed: int, *, sockets: bool = False) -> str:
    """Play a story again; when it fails, return the shortest one that does, and what it violates."""
    with tempfile.TemporaryDirectory(dir=scratch(), prefix="learnupon-night-") as folder:
        stage = Path(folder) / "stage"
        first = play(drawn(seed), stage, sockets=sockets)
        if not first.violations:
            return (
                f"seed {seed}: nothing is violated; exits {json.dumps(first.exits)}, faults {json.dumps(first.fired)}"
            )
        shortest = shrunk(drawn(seed), lambda story: bool(play(story, stage, sockets=sockets).violations))
        last = play(shortest, stage, sockets=sockets)
    lines = [told(shortest), *(last.violations or first.violations), f"again: python -m simulation --seed {seed}"]
    return "\n".join([*lines, last.told])
