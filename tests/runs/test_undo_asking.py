"""How `undo` asks: it shows its plan first, and without a yes, or with rows that changed meanwhile, writes nothing."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from runs.afterwards import held
from runs.elsewhere import signalled
from runs.programs import ROOT
from runs.result import Result
from runs.saved_plans import changes_of_every_kind
from runs.stage import CONTACT_ROWS, Stage
from runs.undo_world import UNDO, State, differing, run_id

from etl.__main__ import main


class Terminal(io.StringIO):
    """A keyboard, or a screen, in front of which somebody sits; `happens` comes before each line that is typed."""

    def __init__(self, typed: str = "", happens: Callable[[], object] = lambda: None) -> None:
        """Type this."""
        super().__init__(typed)
        self._happens = happens

    def isatty(self) -> bool:
        """Say that it is one."""
        return True

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """Return the next line typed."""
        self._happens()
        return super().readline(-1 if size is None else size)


class Person:
    """Somebody who ran a night, and puts it back at a terminal."""

    def __init__(self, stage: Stage) -> None:
        """Let a night pass."""
        self.stage, self.patch = stage, pytest.MonkeyPatch()
        self.ids = changes_of_every_kind(stage)
        self.before: State = held(stage)
        self.run = stage.synced()

    def undo(self, *options: str, typed: str, happens: Callable[[], object] = lambda: None) -> tuple[int, str]:
        """Call `undo` in front of a terminal; return the exit code, and what stood on its screen."""
        screen = Terminal()
        with self.patch.context() as patch:
            patch.setattr(sys, "stdin", Terminal(typed, happens))
            patch.setattr(sys, "stdout", screen)
            patch.setattr(sys, "stderr", screen)
            code = main(["--config", str(self.stage.config()), UNDO, run_id(self.run), *options], {})
        return code, screen.getvalue()


@pytest.fixture(scope="module")
def _person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with Stage(tmp_path_factory.mktemp("night")) as stage:
        yield Person(stage)


@pytest.fixture
def person(_person: Person, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Give somebody whose night has changed rows."""
    _person.patch = monkeypatch
    if not differing(_person.before, held(_person.stage)):
        _person.run = _person.stage.synced()
    return _person


def test_somebody_who_says_yes_has_the_shown_plan_carried_out(person: Person) -> None:
    """The plan is on the screen before the question; no leaves everything, and so does no answer at all."""
    changed = held(person.stage)
    for typed in ("\n", ""):
        code, screen = person.undo(typed=typed)
        assert code == (0 if typed else 130)
        assert "Plan: 1 to create, 8 to update, 0 to delete." in screen.partition("Put these 9 rows back?")[0]
        assert ("Nothing was put back." in screen) == bool(typed)
        assert held(person.stage) == changed
    code, screen = person.undo("--show-values", typed="y\n")
    assert code == 0, screen
    assert "Passed → In Progress" in screen.partition("Put these 9 rows back?")[0]
    assert "Done: 1 created, 8 updated" in screen
    assert differing(person.before, held(person.stage)) == {}
    code, screen = person.undo(typed="y\n")
    assert (code, "Put these" in screen) == (0, False)


def _until(terminal: int, words: str) -> str:
    """Read what a program puts on a terminal until these words are there."""
    screen = b""
    while words.encode() not in screen:
        screen += os.read(terminal, 4096)
    return screen.decode()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_question(person: Person, signum: signal.Signals, code: int) -> None:
    """SIGTERM or Ctrl-C while nobody answers ends the program at once, with nothing put back."""
    changed = held(person.stage)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "etl", "--config", str(person.stage.config()), UNDO, run_id(person.run)]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=surroundings, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        _until(ours, "Put these 9 rows back?")
        time.sleep(0.5)  # the question is on the screen a moment before it is waited for an answer
        assert signalled(process, signum) == code
    assert "Nothing was written to Salesforce." in _until(ours, "error: interrupted")
    for terminal in (ours, theirs):
        os.close(terminal)
    assert held(person.stage) == changed


def test_rows_that_change_before_the_answer_are_not_written(person: Person) -> None:
    """When rows are no longer as in the plan on the screen, a yes comes too late: exit 3, nothing is written."""
    row = person.stage.row(CONTACT_ROWS, f"12345:enrollment:{person.ids['changed']}")
    changed = held(person.stage)
    changed[CONTACT_ROWS][row["LU_Key__c"]]["Score__c"] = 5

    def score(points: float) -> None:
        person.stage.org.update(CONTACT_ROWS, row["Id"], {"Score__c": points})

    code, screen = person.undo(typed="y\n", happens=lambda: score(5))
    assert code == 3
    assert "rows have changed in Salesforce since the plan was shown; nothing was written" in screen
    assert held(person.stage) == changed
    score(row["Score__c"])


def test_where_nobody_can_be_asked_nothing_is_written(person: Person) -> None:
    """Without a terminal, or with a report for programs, the plan is shown and undo ends with 64: give --yes."""
    stage, run = person.stage, person.run
    for options in ((), ("--json",)):
        result = stage.run(UNDO, run_id(run), *options)
        _only_shown(result)
        assert result.code == 64
        assert "9 rows would be put back" in result.err
        assert "give --yes" in result.err
    dry = stage.run(UNDO, run_id(run), "--dry-run", "--json")
    _only_shown(dry)
    assert dry.code == 0
    assert json.loads(dry.out) == dry.report
    assert dry.report["dry_run"] is True
    both = stage.run(UNDO, run_id(run), "--yes", "--dry-run")
    _only_shown(both)
    nothing = stage.run(UNDO, run_id(dry))
    assert (nothing.code, nothing.salesforce_calls) == (0, ())
    assert "wrote nothing to Salesforce, so there is nothing to put back" in nothing.out


def _only_shown(result: Result) -> None:
    assert (result.effects, result.ingest_jobs, result.writing_calls) == ([], [], [])
    assert sum(counts["create"] + counts["update"] for counts in result.report["objects"].values()) == 9
