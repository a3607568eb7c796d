"""`python -m simulation.year`: one org through 365 nights, things going wrong in each, people at work on both sides.

In the end nothing may have drifted, and what the runs leave on the disk must have stopped growing.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from simulation.armed import Armed
from simulation.carrier import Kill
from simulation.judge import Before, Judge
from simulation.many import scratch
from simulation.mishaps import LISTINGS, QUESTIONS, SALESFORCE, Mishap, draw
from simulation.night import Night
from simulation.world import BY_ADMINS, BY_LEARNERS, Change, World, build, happen

NIGHTS = 365
_LIFT = ("run", "--allow-deletes", "100000", "--allow-updates", "100000")
_KEEP_DAYS = 30
_GROWTH = 1.2
_QUIET = 0.05
"""Share of the nights in which nothing goes wrong, at most: a run may end before it comes to what was drawn."""


@dataclass
class Year:
    """What came of the nights."""

    nights: int = 0
    struck: int = 0
    """Nights in which something did go wrong."""
    exits: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    effects: int = 0
    files: list[int] = field(default_factory=list)
    """Files in the state folder after each night."""
    bytes: list[int] = field(default_factory=list)
    last: int = -1
    """Exit code of the undisturbed run that ends the year."""
    left_to_do: int = -1
    """Effects of the run after that."""

    def bounded(self) -> None:
        """See that the state folder has stopped growing once run folders are as old as they may get.

        Nights differ by half; the mean of three times as many nights as folders are kept differs by little.
        """
        many = 3 * _KEEP_DAYS
        if self.nights < _KEEP_DAYS + 2 * many:
            return
        for name, sizes in (("files", self.files), ("bytes", self.bytes)):
            first, last = sum(sizes[_KEEP_DAYS : _KEEP_DAYS + many]) // many, sum(sizes[-many:]) // many
            assert last <= _GROWTH * first, f"the state folder grows: {first:,} {name}, in the end {last:,}"

    def told(self) -> Iterator[str]:
        """Give the year in lines."""
        exits = ", ".join(f"{code}: {number}" for code, number in self.exits.most_common())
        faults = f"{sum(self.fired.values())} faults that struck in {self.struck} of them"
        yield f"{self.nights} nights, {self.changes} changes by people, {faults}"
        yield f"exits: {exits}; {self.effects:,} effects on records"
        for name, sizes in (("files", self.files), ("bytes", self.bytes)):
            half = len(sizes) // 2
            yield f"state folder, {name}: at most {max(sizes[:half]):,} in the first half, {max(sizes[half:]):,} after"
        yield f"in the end: exit {self.last}, and {self.left_to_do} effects of the run after that"


class _Nights:
    """The nights of one year on one stage."""

    def __init__(self, stage: Night, seed: int) -> None:
        self.stage, self.dice, self.year = stage, Random(f"year {seed}"), Year()
        self.judge = Judge(stage)
        stage.configure(report={"keep_days": _KEEP_DAYS})
        self.died = self.guarded = self.hangs = False
        stage.go("run")
        self.asked = self.always = self._asked()

    def day(self) -> None:
        """Let people work on both sides, and LearnUpon's clock go on."""
        stage, dice = self.stage, self.dice
        stage.store.now = stage.clockwork.now()
        kinds = [dice.choice(list(BY_LEARNERS)) for _ in range(dice.randint(1, 3))]
        kinds += [dice.choice(BY_ADMINS) for _ in range(dice.randint(0, 2))]
        for kind in kinds:
            happen(stage, Change(kind, dice.randrange(1 << 30)))
        self.year.changes += len(kinds)

    def night(self) -> None:
        """Run once, with one to three things that go wrong."""
        stage, dice, year = self.stage, self.dice, self.year
        armed = Armed(stage)
        for mishap in self._mishaps():
            armed.arm(mishap)
        kill = Kill(dice.randint(5, 90), after=dice.random() < 0.5) if dice.random() < 0.05 else None
        before = Before(stage)
        result = stage.go(*(_LIFT if self.guarded else ("run",)), kill=kill)
        self.died = self.died or result is None
        self.judge.one_run(before, result, armed.trouble(died=self.died, hangs=self.hangs, lifted=self.guarded))
        self.died = result is None
        self.guarded = result is not None and result.code == 3
        if result is not None and result.code == 0:
            self.asked = self._asked()
            self.always &= self.asked
        year.nights += 1
        year.struck += bool(armed.fired) or result is None
        year.exits[str(result.code) if result else "killed"] += 1
        year.effects += len(result.effects) if result else 0
        year.fired.update(armed.fired)
        goes_on = dice.random() < 0.5
        armed.calm(at_last=goes_on)
        self.hangs = (self.hangs or armed.hangs) and not goes_on
        self._measure()

    def _mishaps(self) -> Iterator[Mishap]:
        """Draw one to three: the first at a request of every whole run so far, the others at one of the last."""
        for place in range(self.dice.randint(1, 3)):
            asked = self.asked if place else self.always
            mishap = next(one for one in iter(lambda: draw(self.dice), None) if asked[one.kind])
            yield replace(mishap, nth=self.dice.randint(1, asked[mishap.kind]))

    def _asked(self) -> Counter[str]:
        """Count the requests of the last run by the kinds of mishaps."""
        emu = self.stage.emu
        calls = [f"{call.method} {call.target}" for call in (*emu.learnupon.calls, *emu.salesforce.calls)]
        kinds = LISTINGS | QUESTIONS | SALESFORCE
        return Counter(kind for kind, pattern in kinds.items() for call in calls if re.search(pattern, call))

    def _measure(self) -> None:
        sizes = [path.stat().st_size for path in self.stage.state_dir.rglob("*") if path.is_file()]
        self.year.files.append(len(sizes))
        self.year.bytes.append(sum(sizes))

    def end(self) -> None:
        """See that an undisturbed run puts everything right, and that the next one has nothing to do."""
        stage = self.stage
        Armed(stage).calm(at_last=True)
        target = Before(stage).target
        result = stage.go(*_LIFT)
        assert result is not None
        self.year.last = result.code
        assert result.code == 0, result.err
        self.judge.same(target, "the last day")
        again = stage.go("run")
        assert again is not None
        self.year.left_to_do = len(again.effects)
        assert (again.code, again.effects, again.ingest_jobs) == (0, [], []), again.err
        self.judge.at_the_end(touched=True)


def live(seed: int, folder: Path, nights: int = NIGHTS) -> Year:
    """Live through so many nights and return what came of them; AssertionError for anything that must not be."""
    with Night(folder, seed) as stage:
        build(stage, World(number=seed, learners=5, courses=3, enrollments=12, job_seconds=2.0))
        story = _Nights(stage, seed)
        for _ in range(nights):
            story.day()
            begun = stage.clockwork.monotonic()
            story.night()
            stage.clockwork.sleep(max(86_400 - (stage.clockwork.monotonic() - begun), 0))
        story.end()
    year = story.year
    quiet = nights - year.struck
    assert quiet <= max(1, _QUIET * nights), f"nothing went wrong in {quiet} of {nights} nights"
    year.bounded()
    return year


def main() -> int:
    """Live a year and tell it; 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m simulation.year", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nights", type=int, default=NIGHTS)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=scratch(), prefix="learnupon-year-"))
    begun = time.monotonic()
    try:
        year = live(asked.seed, folder, asked.nights)
    except AssertionError as wrong:
        sys.stdout.write(f"a year by seed {asked.seed}: {wrong}\n")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(
        f"a year by seed {asked.seed}, {time.monotonic() - begun:,.0f} s:\n" + "\n".join(year.told()) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
