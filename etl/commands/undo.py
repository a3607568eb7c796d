"""`learnupon-sync undo`: puts back what a run changed or deleted, after its plan was shown."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from etl.app import App
from etl.commands.running import carry_out, show_options
from etl.errors import OK, StateFault
from etl.pipeline import undo
from etl.stages.restore import Shown
from etl.state.copies import Copies
from etl.state.history import known_run
from etl.state.sealed import Facts


@click.command()
@click.argument("run_id")
@click.option("--yes", is_flag=True, help="Put it back without asking.")
@click.option("--dry-run", is_flag=True, help="Stop before the first write.")
@show_options
@click.pass_obj
def command(
    app: App, run_id: str, yes: bool, dry_run: bool, as_json: bool, as_markdown: bool, show_values: bool
) -> int:
    """Put back what a run changed or deleted, from the copy it kept. Shows its plan first, and asks.

    Only fields that still hold what the run wrote are put back. Rows that the run created stay; they are listed in
    left.csv, with all else that stays as it is.
    """
    settings = app.settings()
    source = known_run(settings.state_dir, run_id)
    facts = _facts(source)
    planned = {portal_id for _, portal_id in facts.portals} if facts else set()
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not (as_json or as_markdown)
    shown = Shown(unasked=not (yes or dry_run or asks))
    put_back = partial(
        carry_out,
        app,
        "undo",
        work=partial(undo, source=source, shown=shown),
        portals=tuple(one for one in settings.portals if one.portal_id in planned),
        with_profiles=facts is not None and facts.with_profiles,
        as_json=as_json,
        as_markdown=as_markdown,
        show_values=show_values,
    )
    if dry_run or not yes:
        plan = put_back(dry_run=True)
        if dry_run or not plan.totals.changes:
            return plan.exit_code
        app.signals.release()  # held since the report was begun: nothing but a signal ends a question unanswered
        if not click.confirm(f"Put these {plan.totals.changes:,} rows back?", err=True):
            app.echo("Nothing was put back.")
            return OK
    return put_back().exit_code


def _facts(source: Path) -> Facts | None:
    """Return what a run was about; None when it wrote nothing, or when its copy cannot be read: the run will say."""
    try:
        return Copies(source).facts
    except StateFault:
        return None
