"""`learnupon-sync run`: plan, guards, apply, read back."""

from __future__ import annotations

import click

from etl.app import App
from etl.commands.running import carry_out, chosen, portal_option, sharded, show_options
from etl.errors import OK, UsageFault
from etl.guards import Allowed


@click.command()
@click.option("--dry-run", is_flag=True, help="Stop before the first write, as `plan` does.")
@click.option("--allow-deletes", type=click.IntRange(0), metavar="N", help="Allow up to N deletes in this run.")
@click.option("--allow-updates", type=click.IntRange(0), metavar="N", help="Allow up to N updates in this run.")
@portal_option("Only this portal's rows, profiles left alone; repeatable.")
@click.option("--shard", metavar="I/N", help="Only the portals whose place is I modulo N; profiles left alone.")
@show_options
@click.pass_obj
def command(
    app: App,
    dry_run: bool,
    allow_deletes: int | None,
    allow_updates: int | None,
    portals: tuple[str, ...],
    shard: str | None,
    as_json: bool,
    as_markdown: bool,
    show_values: bool,
) -> int:
    """Make Salesforce agree with LearnUpon: read both, plan, check the guards, write what differs, read it back."""
    if portals and shard is not None:
        raise UsageFault("--portal and --shard both choose portals; give one of them")
    mine = chosen(app.settings(), portals)
    if shard is not None:
        mine = sharded(mine, shard, app.environ)
        if not mine:
            app.echo(f"shard {shard} has no portal: nothing to do")
            return OK
    report = carry_out(
        app,
        "run",
        portals=mine,
        dry_run=dry_run,
        with_profiles=not portals and shard is None,
        allowed=Allowed(allow_deletes, allow_updates),
        as_json=as_json,
        as_markdown=as_markdown,
        show_values=show_values,
    )
    return report.exit_code
