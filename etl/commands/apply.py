"""`learnupon-sync apply`: exactly a saved plan, or nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from pathlib import Path

import click

from etl.app import App
from etl.commands.running import carry_out, show_options
from etl.guards import Allowed
from etl.pipeline import apply
from etl.state.saved import facts_in

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_MOST_DIGITS = 5


def _span(_: click.Context, __: click.Parameter, value: str) -> timedelta:
    """Return a time span such as 90m, 24h or 2d."""
    found = re.fullmatch(rf"([0-9]{{1,{_MOST_DIGITS}}})([mhd])", value.strip())
    if found is None:
        raise click.BadParameter(f"{value!r} is no time span such as 90m, 24h or 2d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--max-age", metavar="SPAN", callback=_span, default="24h", show_default=True, help="Refuse a plan older than this."
)
@click.option("--allow-deletes", type=click.IntRange(0), metavar="N", help="Allow up to N deletes in this run.")
@click.option("--allow-updates", type=click.IntRange(0), metavar="N", help="Allow up to N updates in this run.")
@show_options
@click.pass_obj
def command(
    app: App,
    directory: Path,
    max_age: timedelta,
    allow_deletes: int | None,
    allow_updates: int | None,
    as_json: bool,
    as_markdown: bool,
    show_values: bool,
) -> int:
    """Apply exactly the plan that `plan --out DIR` saved. LearnUpon is not asked again.

    Nothing is written when the plan is too old, not as it was saved, or applied already, or when its rows have changed
    in Salesforce since.
    """
    facts = facts_in(directory)
    planned = {portal_id for _, portal_id in facts.portals} if facts else set()
    report = carry_out(
        app,
        "apply",
        work=partial(apply, plan_in=directory, max_age=max_age),
        portals=tuple(one for one in app.settings().portals if not planned or one.portal_id in planned),
        with_profiles=facts is None or facts.with_profiles,
        allowed=Allowed(allow_deletes, allow_updates),
        as_json=as_json,
        as_markdown=as_markdown,
        show_values=show_values,
    )
    return report.exit_code
