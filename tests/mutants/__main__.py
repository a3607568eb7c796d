"""`make mutants`: plants one bug after another into copies of the project and sees that the tests find each of them.

First the tests are run without a bug: they must pass. Then, for each bug of the list, the tests that should see it. A
bug that no test sees, or that keeps them from running at all, is told, and the exit code is 1; it is 2 when the tests
fail without a bug or the list does not fit the source. A bug that makes tests run for ever counts as found, and the
table says so: for such bugs the list names a limit.
"""

from __future__ import annotations

import argparse
import queue
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mutants.catalogue import MUTANTS
from mutants.copies import Copy, Tested
from mutants.mutant import LONGEST, Mutant, problems

ROOT = Path(__file__).parents[2]
SOUND_S = 1800.0
"""How long the tests may take without a bug."""
MOST_S = 600.0
"""How long they may take with one, unless it is known to keep them from ending."""


class Workshop:
    """Some copies of the project, each lent to one thread at a time."""

    def __init__(self, root: Path, folder: Path, copies: int) -> None:
        """Make the copies."""
        self._all = [Copy(root, folder / str(number)) for number in range(copies)]
        self._free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for copy in self._all:
            self._free.put(copy)

    @contextmanager
    def lent(self) -> Iterator[Copy]:
        """Give a copy that nobody else has."""
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)

    def sound(self, nodes: Sequence[str]) -> Tested:
        """Run tests without a bug."""
        with self.lent() as copy:
            return copy.test(nodes, SOUND_S)

    def judge(self, mutant: Mutant) -> Tested:
        """Run a mutant's tests with its bug in place."""
        with self.lent() as copy, copy.planted(mutant):
            return copy.test(mutant.nodes, mutant.endless_s or MOST_S)

    def stop(self) -> None:
        """End whatever is under way."""
        for copy in self._all:
            copy.stop()


def say(line: str, stream: TextIO | None = None) -> None:
    """Write a line at once: the whole takes minutes."""
    out = stream or sys.stdout
    out.write(line + "\n")
    out.flush()


def sound(workshop: Workshop, pool: ThreadPoolExecutor, mutants: Sequence[Mutant]) -> bool:
    """Say whether all tests of these mutants pass without a bug."""
    nodes = sorted({node for mutant in mutants for node in mutant.nodes})
    halves = [half for half in (nodes[::2], nodes[1::2]) if half]
    results = [future.result() for future in [pool.submit(workshop.sound, half) for half in halves]]
    for result in results:
        if not result.passed:
            say(f"{result.output}\nThe tests do not pass without a bug: nothing can be learnt from them.", sys.stderr)
    seconds = max((result.seconds for result in results), default=0.0)
    say(f"{len(nodes)} tests and files of tests, without a bug: {seconds:.0f} s\n", sys.stderr)
    return all(result.passed for result in results)


def verdict(mutant: Mutant, result: Tested) -> tuple[bool, str]:
    """Return whether a bug was found, and in words what its tests made of it."""
    if result.exit_code is None and mutant.endless_s:
        return True, f"its tests did not end within {mutant.endless_s:g} s"
    if result.exit_code is None:
        return False, f"NOT TESTED: no end within {MOST_S:g} s"
    if result.passed:
        return False, "NOT FOUND"
    return result.found, result.failed if result.found else f"NOT TESTED: pytest ended with {result.exit_code}"


def run(root: Path, mutants: Sequence[Mutant], workers: int) -> int:
    """Judge these mutants, print the table, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(workers) as pool:
        workshop = Workshop(root, Path(folder), workers)
        try:
            if not sound(workshop, pool, mutants):
                return 2
            return _table({pool.submit(workshop.judge, mutant): mutant for mutant in mutants})
        except BaseException:
            workshop.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _table(judged: dict[Future[Tested], Mutant]) -> int:
    began = time.monotonic()
    width = max(len(mutant.id) for mutant in judged.values())
    say(f"{'id':{width}}  {'bug':{LONGEST}}  {'s':>5}  found by")
    lost = []
    for future in as_completed(judged):
        mutant, result = judged[future], future.result()
        found, words = verdict(mutant, result)
        say(f"{mutant.id:{width}}  {mutant.bug:{LONGEST}}  {result.seconds:5.1f}  {words}")
        if not found:
            lost.append(mutant.id)
            say(result.output, sys.stderr)
    seconds = time.monotonic() - began
    say(f"\n{len(judged) - len(lost)} of {len(judged)} planted bugs were found, in {seconds:.0f} s.")
    if lost:
        say(f"Not found: {', '.join(lost)}")
    return 1 if lost else 0


def main(root: Path, mutants: Sequence[Mutant], arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for, on the project in `root`."""
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("--list", action="store_true", help="list the bugs and plant none")
    parser.add_argument("--only", action="append", metavar="ID", help="plant this bug alone (repeatable)")
    parser.add_argument("--workers", type=int, default=2, help="how many at a time (2)")
    given = parser.parse_args(arguments)
    unknown = set(given.only or ()) - {mutant.id for mutant in mutants}
    if unknown:
        parser.error(f"no planted bug is called {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in mutants if not given.only or mutant.id in given.only]
    if given.list:
        width = max(len(mutant.id) for mutant in chosen)
        for mutant in chosen:
            say(f"{mutant.id:{width}}  {mutant.bug:{LONGEST}}  {mutant.file}")
        return 0
    wrong = problems(chosen, root)
    for line in wrong:
        say(line, sys.stderr)
    return 2 if wrong else run(root, chosen, given.workers)


if __name__ == "__main__":
    sys.exit(main(ROOT, MUTANTS))
