"""One story: a world, what changed, runs that were disturbed, and how it ended; drawn from a seed, and played.

What must hold, whatever happened (the invariants of the fault catalogue): see `judge.py`.
"""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from shutil import rmtree

from runs.result import Result
from simulation.armed import Armed
from simulation.carrier import Kill
from simulation.clockwork import Endless
from simulation.judge import Before, Judge, Trouble
from simulation.mishaps import Mishap, draw
from simulation.night import Night
from simulation.world import BY_ADMINS, BY_LEARNERS, STARTS, Change, World, build, happen

_LIFT = ("--allow-deletes", "100000", "--allow-updates", "100000")
_MOST_TRIES = 4
_SEES_TWICE, _WROTE_SEES_TWICE = 10, 2
"""Of so many stories one is followed by a run that should have nothing to do: of all, and of those mended by a run."""


@dataclass(frozen=True)
class Try:
    """One disturbed run: what goes wrong, whether it is killed, and what happens until the next one."""

    mishaps: tuple[Mishap, ...] = ()
    kill: Kill | None = None
    loses_state: bool = False
    gap_s: float = 60.0


@dataclass(frozen=True)
class Story:
    """A schedule, in full: what the seed drew, or what is left of it after shrinking."""

    seed: int
    world: World
    changes: tuple[Change, ...]
    tries: tuple[Try, ...]


def drawn(seed: int, *, most_mishaps: int = 4) -> Story:
    """Draw the story of a seed."""
    dice = Random(f"story {seed}")
    world = World(
        number=seed,
        start=dice.choices(STARTS, [2, 5, 2, 1])[0],
        portals=dice.choice([1, 1, 2]),
        learners=dice.randint(1, 4),
        courses=dice.randint(1, 3),
        enrollments=dice.randint(0, 9),
        paths=dice.choice([0, 0, 1]),
        page_size=dice.choice([1, 2, 3, 500, 500]),
        order=dice.choice(["id", "id", "id_desc", "updated_at"]),
        job_seconds=dice.choice([0.0, 0.0, 0.0, 4.0, 90.0]),
        strict=dice.random() < 0.08,
    )
    kinds = [*BY_LEARNERS, *BY_LEARNERS, *BY_ADMINS]
    changes = tuple(Change(dice.choice(kinds), dice.randrange(1 << 30)) for _ in range(dice.randint(0, 6)))
    tries = []
    for _ in range(dice.choices([1, 2], [5, 1])[0]):
        mishaps = tuple(draw(dice) for _ in range(dice.randint(0, most_mishaps)))
        kill = Kill(dice.randint(5, 75), after=dice.random() < 0.5) if dice.random() < 0.2 else None
        tries.append(Try(mishaps, kill, dice.random() < 0.15, dice.choice([1.0, 60.0, 3600.0, 86_400.0])))
    return Story(seed, world, changes, tuple(tries))


@dataclass
class Played:
    """What came of a story."""

    story: Story
    violations: list[str] = field(default_factory=list)
    exits: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    told: str = ""
    """What the last run said."""


def play(story: Story, folder: Path, *, sockets: bool = False) -> Played:
    """Play a story on a stage of its own in `folder`, which is emptied first, and judge it."""
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    played = Played(story)
    with Night(folder, story.seed, sockets=sockets) as stage:
        try:
            _Player(stage, story, played).play()
        except (AssertionError, Endless) as wrong:
            played.violations.append(f"{type(wrong).__name__}: {wrong}")
        except Exception as bug:  # noqa: BLE001 - what escapes is told like what is wrong, with where
            played.violations.append("".join(traceback.format_exception(bug, limit=-4)))
    rmtree(folder, ignore_errors=True)
    return played


class _Player:
    def __init__(self, stage: Night, story: Story, played: Played) -> None:
        self.stage, self.story, self.played = stage, story, played
        self.judge = Judge(stage)
        self.touched = False
        self.died = False
        self.done = self.hangs = False

    def play(self) -> None:
        build(self.stage, self.story.world)
        for change in self.story.changes:
            happen(self.stage, change)
        self.stage.ledger.clear()
        first = Before(self.stage)
        for one in self.story.tries:
            self._try(one)
        self._converge(first)
        self.judge.at_the_end(touched=self.touched)

    def _run(self, *arguments: str, kill: Kill | None = None) -> Result | None:
        result = self.stage.go(*arguments, kill=kill)
        self.played.runs += 1
        self.played.exits[str(result.code) if result else "killed"] += 1
        self.played.told = result.out + result.err if result else ""
        return result

    def _try(self, one: Try) -> None:
        stage = self.stage
        armed = Armed(stage)
        for mishap in one.mishaps:
            armed.arm(mishap)
        before = Before(stage)
        result = self._run("run", kill=one.kill)
        self.died = self.died or result is None
        self.touched = self.touched or armed.touched
        self.played.fired.update(armed.fired)
        self.judge.one_run(before, result, armed.trouble(died=self.died, hangs=self.hangs))
        self.hangs = self.hangs or armed.hangs
        late = armed.calm(at_last=False)
        # a lease that is made after its run has gone, or could not be given back, is like that of a dead one
        self.died = self.died or bool(late) or "could not be given back" in self.played.told
        # a job that is made after it was looked for is ended by the next run
        late_job = any((mishap.kind, mishap.what) == ("create", "slow") for mishap in one.mishaps)
        self.done = result is not None and result.code == 0 and not armed.deceived and not (late or late_job)
        if one.loses_state:
            rmtree(stage.state_dir, ignore_errors=True)
        stage.clockwork.sleep(one.gap_s)

    def _converge(self, first: Before) -> None:
        """Run undisturbed until all is well; a run after a dead one may have to wait, one that is guarded is lifted."""
        Armed(self.stage).calm(at_last=True)
        if self.done and not self.touched and self.story.seed % _SEES_TWICE:
            self.judge.same(first.target, "the first moment")
            return
        result = self._undisturbed()
        if not self.touched:
            self.judge.same(first.target, "the first moment")
        if not self.story.seed % (_WROTE_SEES_TWICE if result.effects else _SEES_TWICE):
            again = self._run("run")
            assert again is not None
            assert again.code == 0, f"I-IDEMP: the run after that ended with {again.code}: {again.err}"
            assert not again.effects, f"I-IDEMP: the run after that found something to do: {again.effects[:3]}"
            assert not again.ingest_jobs, "I-IDEMP: the run after that made a job"

    def _undisturbed(self) -> Result:
        arguments: tuple[str, ...] = ("run",)
        result: Result | None = None
        for _ in range(_MOST_TRIES):
            before = Before(self.stage)
            result = self._run(*arguments)
            assert result is not None
            lifted = len(arguments) > 1
            self.judge.one_run(before, result, Trouble(died=self.died, lifted=lifted))
            if result.code == 75 and self.died:
                self.stage.clockwork.sleep(1800)
            elif result.code == 3 and not lifted:
                arguments = ("run", *_LIFT)
            else:
                break
        assert result is not None
        assert result.code == 0, f"I-LIVE: a run that nothing disturbs ended with {result.code}: {result.err}"
        return result
