"""`learnupon-sync check`: one line for each thing a run needs, with the remedy where it is missing; writes nothing."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from etl.app import App
from etl.errors import OK
from etl.session import over_sockets
from etl.stages.inspect import Finding, inspect
from etl.stages.job import Job


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def command(app: App, as_json: bool) -> int:
    """Check configuration, credentials, pinned org and portals, objects, fields, permissions and quotas. Reads only."""
    settings = app.settings()
    with app.progress() as progress:
        job = Job(
            settings=settings,
            command="check",
            run_id="",
            clock=app.clock,
            random=app.random,
            transport=app.transport or over_sockets,
            progress=progress,
            portals=settings.portals,
            dry_run=True,
        )
        findings = []
        for finding in inspect(job):
            findings.append(finding)
            if not as_json:
                app.echo(line(finding))
    if as_json:
        app.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    return next((finding.exit_code for finding in findings if finding.exit_code), OK)


def line(finding: Finding) -> str:
    """Return a finding as one line; a long one keeps its line ends indented."""
    mark = "FAIL" if finding.exit_code else "note" if finding.note else "ok"
    said = finding.said.replace("\n", "\n      ")
    return f"{mark:<4}  {finding.what}: {said}"
