"""`learnupon-sync runs`: the history of the state folder, or one run in full; it asks neither vendor."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from etl.app import App
from etl.errors import UsageFault
from etl.report.model import from_json
from etl.report.text import text, wants_color
from etl.state import RunSummary, history, load_report

_HEAD = (
    "RUN",
    "WHEN (UTC)",
    "COMMAND",
    "OUTCOME",
    "EXIT",
    "PLANNED",
    "CREATED",
    "UPDATED",
    "DELETED",
    "REFUSED",
    "SECONDS",
)
_LEFT = 4


@click.command()
@click.argument("run_id", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Newest runs to list.")
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="The state folder; default: the one of the configuration.",
)
@click.pass_obj
def command(app: App, run_id: str | None, as_json: bool, limit: int, state_dir: Path | None) -> int:
    """List earlier runs, newest first: when, outcome, counts, duration. With RUN_ID: that run in full."""
    folder = state_dir or app.settings().state_dir
    if run_id is not None:
        _one(app, folder, run_id, as_json=as_json)
        return 0
    found = history(folder)
    if as_json:
        app.echo(json.dumps([asdict(run) for run in found[:limit]], indent=2))
    elif not found:
        app.echo(f"no runs yet in {folder}")
    else:
        app.echo(table(found[:limit]))
        if len(found) > limit:
            app.echo(f"{len(found) - limit:,} older ones are not shown (--limit)")
    return 0


def _one(app: App, folder: Path, run_id: str, *, as_json: bool) -> None:
    report = load_report(folder, run_id)
    if as_json:
        app.echo(json.dumps(report, indent=2))
        return
    color = wants_color(sys.stdout, app.environ)
    try:
        found = from_json(report)
    except ValueError as error:
        raise UsageFault(f"run {run_id} left a report of another version of this program: --json shows it") from error
    app.echo(text(found, where=os.fspath(folder / "runs" / run_id), color=color).rstrip("\n"))


def table(runs: list[RunSummary]) -> str:
    """Return the history as aligned columns, words to the left and numbers to the right."""
    rows = [_HEAD, *(_cells(run) for run in runs)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < _LEFT else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _cells(run: RunSummary) -> tuple[str, ...]:
    numbers = (run.planned, run.created, run.updated, run.deleted, run.refused)
    return (
        run.run_id,
        run.started_at.replace("T", " ").removesuffix("Z"),
        run.command or "-",
        f"{run.outcome}, undone" if run.undone_by else run.outcome,
        "-" if run.exit_code is None else str(run.exit_code),
        *(f"{number:,}" for number in numbers),
        "-" if run.seconds is None else f"{run.seconds:,.1f}",
    )
