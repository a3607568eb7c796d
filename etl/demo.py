"""The demo: the real program against both emulators, told as a story of four runs; the only user of the emulators."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from etl.app import App
from etl.commands.running import carry_out
from etl.emulator.serve import config_text
from etl.emulator.world import Emulators
from etl.errors import OK, ROWS_REFUSED, StateFault
from etl.report.model import Report
from etl.state.rundir import runs_folder

_RATE = 60_000
"""Requests a minute the emulated portals allow: the story should not wait."""
_MIN_ROWS = 1000
"""Rows from which on the guards count in percent: in a small invented portal one night is more than a few percent."""


@dataclass(frozen=True)
class Size:
    """How large the invented portals are."""

    learners: int
    enrollments_per_learner: int
    seed: int


def tell(app: App, size: Size, out: Path) -> int:
    """Tell the story: a plan, the first load, nothing to do, a night of changes; return the exit code.

    `out` becomes the state folder and keeps the reports; the emulators end with the story.
    """
    app.echo(
        f"Inventing two LearnUpon portals with {size.learners:,} learners and about "
        f"{size.learners * size.enrollments_per_learner:,} enrollments, and an org that knows most of them ..."
    )
    with (
        Emulators(
            learners=size.learners,
            seed=size.seed,
            enrollments_per_learner=size.enrollments_per_learner,
            requests_per_minute=_RATE,
        ) as emulators,
        tempfile.TemporaryDirectory() as folder,
    ):
        app.use(_config(emulators, Path(folder), out))
        app.echo(f"Both answer on this machine: {emulators.learnupon.url} and {emulators.salesforce.url}\n")
        return _four_runs(app, emulators, out)


def _config(emulators: Emulators, folder: Path, out: Path) -> Path:
    path = folder / "learnupon-sync.yaml"
    text = config_text(
        emulators.describe(), namespace="", requests_per_minute=_RATE, state_dir=os.fspath(out.absolute())
    )
    path.touch(mode=0o600)
    path.write_text(f"{text}guards: {{min_rows: {_MIN_ROWS}}}\n", encoding="utf-8")
    return path


def _four_runs(app: App, emulators: Emulators, out: Path) -> int:
    _chapter(app, "1. plan", "What would happen? Nothing is written yet.")
    told = partial(carry_out, app, is_read=True)
    told("plan")
    _chapter(app, "2. run", "The first load: everybody who is somebody in Salesforce gets their rows.")
    told("run")
    _chapter(app, "3. run", "The same again. Nothing has changed, so nothing is sent.")
    again = told("run")
    changed = emulators.night(1)
    _chapter(app, "4. run", f"A night later. What happened: {_night(changed)}.")
    last = told("run")
    return _ending(app, again, last, out)


def _chapter(app: App, title: str, words: str) -> None:
    app.echo(f"\n== {title} " + "=" * max(3, 70 - len(title)))
    app.echo(words + "\n")


def _night(changed: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {kind.replace('_', ' ')}" for kind, number in changed.items() if number)


def _ending(app: App, again: Report, last: Report, out: Path) -> int:
    """Say where the reports are and return how the demo ended."""
    report = runs_folder(out) / last.run_id / "report.html"
    if not report.exists():
        raise StateFault(f"the demo left no report at {report}")
    app.echo(f"\nThe last report as a page: {report}")
    app.echo(f"All four runs: learnupon-sync runs --state-dir {out}")
    app.echo("Next: copy config/learnupon-sync.example.yaml, then `learnupon-sync check` and `learnupon-sync plan`.")
    return verdict(again, last)


def verdict(again: Report, last: Report) -> int:
    """Return the demo's exit code: it has failed when its second run was not idle or a row of the last was refused."""
    return last.exit_code or (ROWS_REFUSED if again.totals.changes else OK)
