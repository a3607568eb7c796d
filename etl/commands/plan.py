"""`learnupon-sync plan`: everything but the writes, shown to a person."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from etl.app import App
from etl.commands.running import carry_out, chosen, plan_exit_code, portal_option, show_options
from etl.pipeline import plan_into, run
from etl.state.saved import check_free


@click.command()
@portal_option("Only this portal's rows, profiles left alone; repeatable.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Save the plan in this new folder, for `apply` (personal data).",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
@show_options
@click.pass_obj
def command(
    app: App,
    portals: tuple[str, ...],
    out: Path | None,
    detailed_exitcode: bool,
    as_json: bool,
    as_markdown: bool,
    show_values: bool,
) -> int:
    """Show what a run would create, update and delete, and who would be left out. Writes nothing to Salesforce."""
    mine = chosen(app.settings(), portals)
    if out is not None:
        check_free(out)  # before the portals are read, which may take an hour
    report = carry_out(
        app,
        "plan",
        work=run if out is None else partial(plan_into, out=out),
        portals=mine,
        with_profiles=not portals,
        as_json=as_json,
        as_markdown=as_markdown,
        show_values=show_values,
    )
    if out is not None and not as_json and not as_markdown:
        app.echo(f"\nSaved in {out}. It holds personal data. To apply exactly this plan: learnupon-sync apply {out}")
    return plan_exit_code(report, detailed=detailed_exitcode)
