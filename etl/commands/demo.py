"""`learnupon-sync demo`: the whole program on both emulators, without any account; the story is told in `etl.demo`."""

from __future__ import annotations

from pathlib import Path

import click

from etl.app import App
from etl.demo import Size, tell


@click.command()
@click.option(
    "--learners", type=click.IntRange(10, 20_000), default=2000, show_default=True, help="Learners to invent."
)
@click.option(
    "--enrollments-per-learner", type=click.IntRange(1, 100), default=11, show_default=True, help="Enrollments of each."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed tells the same story.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var/demo"),
    show_default=True,
    help="Folder that keeps the reports.",
)
@click.pass_obj
def command(app: App, learners: int, enrollments_per_learner: int, seed: int, out: Path) -> int:
    """Try it all out: emulated portals and an emulated org on this machine, a plan, and three runs."""
    if app.logs.verbosity == 0:
        app.logs.verbosity = -1  # the story is told on standard output; -v shows the log as well
    return tell(app, Size(learners, enrollments_per_learner, seed), out)
