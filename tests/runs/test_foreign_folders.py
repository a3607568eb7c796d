"""Folders of the state that belong to somebody else: no bug, no way around them, and nobody else's business."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from runs.nobody import anybody_s_stage, closed, without_rights
from runs.small_world import furnish
from runs.stage import CONTACT_ROWS, Stage


@pytest.fixture
def school() -> Iterator[Stage]:
    """Give a stage with a small world in it, in which one run has ended well."""
    with anybody_s_stage() as stage:
        furnish(stage)
        stage.synced("run")
        yield stage


@pytest.mark.parametrize("command", [("run",), ("plan",), ("runs",), ("backfill",)], ids=" ".join)
@pytest.mark.parametrize("inner", ["", "runs"])
def test_a_state_folder_of_somebody_else_is_74(school: Stage, command: tuple[str, ...], inner: str) -> None:
    """A state folder that this user may not enter is 74 with its path and what to do, before anybody is asked."""
    with without_rights(school), closed(school.state_dir / inner):
        result = school.run(*command)
    assert (result.code, result.salesforce_calls, result.learnupon_calls) == (74, (), ()), result.err
    assert f"cannot use {school.state_dir}" in result.err
    assert "give this user the right to write there, or change state_dir, then run again" in result.err
    assert command == ("runs",) or "Nothing was written to Salesforce" in result.err


def test_a_run_of_somebody_else_is_left_alone(school: Stage) -> None:
    """A run folder that this user may not enter stops no run: it is told of, kept, and listed as unreadable."""
    first = school.synced("run").folder
    assert first is not None
    with without_rights(school), closed(first):
        school.configure(report={"keep_days": 0})
        school.academy.change_enrollment(min(school.academy.enrollments), percentage=12)
        result = school.run("run")
        assert (result.code, len(result.sent(CONTACT_ROWS))) == (0, 1), result.err
        assert result.err.count(f"WARNING {first} belongs to another user") == 1
        listed = school.run("runs")
        shown = school.run("runs", first.name)
        assert school.run("undo", first.name, "--yes").code == 74
    assert first.is_dir()
    lines = {line.split()[0]: line for line in listed.out.splitlines()}
    assert (listed.code, "unreadable" in lines[first.name]) == (0, True)
    assert (shown.code, "no readable report" in shown.err) == (64, True)
