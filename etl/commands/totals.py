"""`learnupon-sync totals`: the profiles of Contacts and Users, from the membership rows that Salesforce holds."""

from __future__ import annotations

import click

from etl.app import App
from etl.commands.running import carry_out, show_options
from etl.errors import ConfigFault
from etl.guards import Allowed
from etl.pipeline import totals


@click.command()
@click.option("--dry-run", is_flag=True, help="Stop before the first write.")
@click.option("--allow-updates", type=click.IntRange(0), metavar="N", help="Allow up to N updates in this run.")
@show_options
@click.pass_obj
def command(
    app: App,
    dry_run: bool,
    allow_updates: int | None,
    as_json: bool,
    as_markdown: bool,
    show_values: bool,
) -> int:
    """Sum up every person's profile from the memberships in Salesforce: the last step after portals were run apart."""
    if app.settings().salesforce.namespace:
        raise ConfigFault(
            "salesforce.namespace: the memberships of LearnUpon's package hold no counts to sum up; "
            "profiles are then written by a run of all portals: learnupon-sync run"
        )
    report = carry_out(
        app,
        "totals",
        work=totals,
        dry_run=dry_run,
        allowed=Allowed(updates=allow_updates),
        as_json=as_json,
        as_markdown=as_markdown,
        show_values=show_values,
    )
    return report.exit_code
