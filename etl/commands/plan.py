"""`learnupon-sync plan`: everything but the writes, shown to a person."""

from __future__ import annotations

import click

from etl.app import App
from etl.commands.running import carry_out, chosen, plan_exit_code, portal_option, show_options


@click.command()
@portal_option("Only this portal's rows, profiles left alone; repeatable.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
@show_options
@click.pass_obj
def command(
    app: App,
    portals: tuple[str, ...],
    detailed_exitcode: bool,
    as_json: bool,
    as_markdown: bool,
    show_values: bool,
) -> int:
    """Show what a run would create, update and delete, and who would be left out. Writes nothing to Salesforce."""
    report = carry_out(
        app,
        "plan",
        portals=chosen(app.settings(), portals),
        with_profiles=not portals,
        as_json=as_json,
        as_markdown=as_markdown,
        show_values=show_values,
    )
    return plan_exit_code(report, detailed=detailed_exitcode)
