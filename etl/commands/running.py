"""What the commands that run have in common: options, the job they make, and how its report is shown."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from etl.app import App
from etl.config import PortalSettings, Settings
from etl.errors import CHANGES_PLANNED, OK, ROWS_REFUSED, StateFault, SyncError, UsageFault
from etl.guards import Allowed
from etl.lifecycle import Work, execute
from etl.pipeline import run
from etl.report.markdown import markdown
from etl.report.model import Report, to_json
from etl.report.text import changes_text, text, wants_color
from etl.report.wording import ending, headline
from etl.session import over_sockets
from etl.stages.job import Backfill, Job
from etl.state.disk import free_space, is_there, may_enter
from etl.state.rundir import REFUSED, new_run_id, runs_folder

_log = logging.getLogger(__name__)

_DRAWS = 100
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def show_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose how a report is shown."""
    for option in (
        click.option("--show-values", is_flag=True, help="Show old and new values (personal data)."),
        click.option("--markdown", "as_markdown", is_flag=True, help="Print the report as Markdown."),
        click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
    ):
        command = option(command)
    return command


def portal_option(help_text: str) -> Decorator:
    """Return the repeatable option `--portal`."""
    return click.option("--portal", "portals", multiple=True, metavar="NAME", help=help_text)


def chosen(settings: Settings, names: tuple[str, ...]) -> tuple[PortalSettings, ...]:
    """Return the portals of these names in the order of the configuration; without names all."""
    known = [portal.name for portal in settings.portals]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageFault(f"no portal named {', '.join(unknown)} in the configuration; there are {', '.join(known)}")
    return tuple(portal for portal in settings.portals if not names or portal.name in names)


def sharded(portals: tuple[PortalSettings, ...], shard: str, environ: Mapping[str, str]) -> tuple[PortalSettings, ...]:
    """Return the portals whose place is I modulo N of `I/N`; `/N` takes I from $JOB_COMPLETION_INDEX (Kubernetes)."""
    index, _, count = shard.partition("/")
    index = index or environ.get("JOB_COMPLETION_INDEX", "")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise UsageFault(f"--shard {shard!r} is not I/N with 0 <= I < N (I may come from $JOB_COMPLETION_INDEX)")
    return tuple(portal for place, portal in enumerate(portals) if place % int(count) == int(index))


def carry_out(
    app: App,
    name: str,
    *,
    work: Work = run,
    portals: tuple[PortalSettings, ...] | None = None,
    dry_run: bool = False,
    with_profiles: bool = True,
    allowed: Allowed | None = None,
    backfill: Backfill | None = None,
    as_json: bool = False,
    as_markdown: bool = False,
    show_values: bool = False,
    is_read: bool = False,
) -> Report:
    """Run a job, show its report (a quiet log need not repeat one that `is_read`), and raise what stopped it."""
    settings = app.settings()
    app.ending = "Nothing was written to Salesforce."  # of a run that cannot even begin
    run_id = app.logs.run_id = _new_run_id(app, settings.state_dir)
    with app.progress() as progress:
        job = Job(
            settings=settings,
            command=name,
            run_id=run_id,
            clock=app.clock,
            random=app.random,
            transport=app.transport or over_sockets,
            progress=progress,
            decoders=app.decoders,
            portals=settings.portals if portals is None else portals,
            dry_run=dry_run,
            with_profiles=with_profiles,
            allowed=allowed or Allowed(),
            backfill=backfill,
            show_values=show_values,
            signals=app.signals,
            free_space=app.free_space or free_space,
        )
        report, error = _executed(app, job, work)
    if app.logs.style == "json" or (app.quiet and not is_read):
        _log_warnings(report, app.report)
    try:
        show(app, report, as_json=as_json, as_markdown=as_markdown)
    except StateFault as fault:
        if error is None and not job.writes:
            raise
        _log.warning("%s; the run itself is not touched by that", fault)
    if error is not None:
        raise error
    return report


def _new_run_id(app: App, state_dir: Path) -> str:
    """Return a run id that no folder has: of two runs begun in one second, one in 65,536 draws the other's."""
    for _ in range(_DRAWS):
        run_id = new_run_id(app.clock.now(), app.random)
        if not is_there(runs_folder(state_dir) / run_id):
            break
    return run_id


def _executed(app: App, job: Job, work: Work) -> tuple[Report, SyncError | None]:
    """Execute a job; see that whatever the program says last tells what was written, and where it is told in full."""
    place = runs_folder(job.settings.state_dir) / job.run_id
    try:
        report, error = execute(job, work)
    finally:
        app.report = place if may_enter(place) else None
    app.ending = ending(report)
    return report, error


def _log_warnings(report: Report, place: Path | None) -> None:
    """Log what asks for a look, for those who read the log alone; to a person at a terminal the report says it."""
    for warning in report.warnings:
        _log.warning("%s", warning)
    if report.exit_code == ROWS_REFUSED:
        head = headline(report)
        where = f" Each is listed in {place / REFUSED}" if place else ""
        _log.warning("%s. %s%s", head.title, head.sentence, where)


def show(app: App, report: Report, *, as_json: bool = False, as_markdown: bool = False) -> None:
    """Write a report to standard output: text for people unless JSON or Markdown was asked for."""
    if as_json:
        app.echo(json.dumps(to_json(report), indent=2, ensure_ascii=False))
        return
    if as_markdown:
        app.echo(markdown(report).rstrip("\n"))
        return
    color = wants_color(sys.stdout, app.environ)
    if report.show_values and report.samples:
        app.echo(changes_text(report.samples, show_values=report.show_values, color=color).rstrip("\n") + "\n")
    app.echo(text(report, where=os.fspath(app.report or ""), color=color).rstrip("\n"))


def plan_exit_code(report: Report, *, detailed: bool) -> int:
    """Return 2 for a plan with changes when `--detailed-exitcode` asks for it, else the report's own code."""
    return CHANGES_PLANNED if detailed and report.exit_code == OK and report.totals.changes else report.exit_code
