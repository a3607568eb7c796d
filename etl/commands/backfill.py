"""`learnupon-sync backfill`: history for a chosen scope; creates and updates, never deletes."""

from __future__ import annotations

from datetime import datetime

import click

from etl.app import App
from etl.commands.running import carry_out, chosen, portal_option, show_options
from etl.errors import UsageFault
from etl.guards import Allowed
from etl.stages.job import Backfill

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@portal_option("Only this portal; repeatable.")
@click.option("--course", type=click.IntRange(1), metavar="ID", help="Only enrollments in this course; no paths then.")
@click.option("--learner", metavar="EMAIL_OR_ID", help="Only this learner.")
@click.option("--enrolled-from", type=_DAY, metavar="DATE", help="Only rows enrolled on this UTC day or later.")
@click.option("--enrolled-to", type=_DAY, metavar="DATE", help="Only rows enrolled on this UTC day or earlier.")
@click.option("--allow-updates", type=click.IntRange(0), metavar="N", help="Allow up to N updates in this run.")
@click.option("--dry-run", is_flag=True, help="Stop before the first write.")
@show_options
@click.pass_obj
def command(
    app: App,
    portals: tuple[str, ...],
    course: int | None,
    learner: str | None,
    enrolled_from: datetime | None,
    enrolled_to: datetime | None,
    allow_updates: int | None,
    dry_run: bool,
    as_json: bool,
    as_markdown: bool,
    show_values: bool,
) -> int:
    """Bring in history: create and update rows in a scope, never delete; resumes where it was stopped."""
    if enrolled_from and enrolled_to and enrolled_from > enrolled_to:
        raise UsageFault(f"--enrolled-from {enrolled_from:%Y-%m-%d} is after --enrolled-to {enrolled_to:%Y-%m-%d}")
    if learner is not None and not learner.strip():
        raise UsageFault("--learner is empty: without it the backfill is of everybody")
    mine = chosen(app.settings(), portals)
    scope = Backfill(
        course=course,
        learner=learner.strip() if learner is not None else None,
        enrolled_from=enrolled_from.date() if enrolled_from else None,
        enrolled_to=enrolled_to.date() if enrolled_to else None,
    )
    report = carry_out(
        app,
        "backfill",
        portals=mine,
        dry_run=dry_run,
        # without the memberships of all portals, or their counts, a person's sums are not known
        with_profiles=len(mine) == len(app.settings().portals) and not app.settings().salesforce.namespace,
        allowed=Allowed(updates=allow_updates),
        backfill=scope,
        as_json=as_json,
        as_markdown=as_markdown,
        show_values=show_values,
    )
    return report.exit_code
