"""Who is told how a run ended, with what words, and that it never changes how the run ended."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from runs.listener import Listener
from runs.stage import Stage


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Give a listener that is served."""
    with Listener() as made:
        yield made


def test_the_switch_hears_start_and_exit_code(stage: Stage, listener: Listener) -> None:
    """The dead man's switch is told that a run began, and how it ended by its exit code."""
    stage.configure(notify={"ping_url": f"{listener.url}/ping/abc"})
    stage.enroll(stage.learner())
    stage.run("run")
    assert [path for path, _ in listener.told] == ["/ping/abc/start", "/ping/abc/0"]
    stage.academy.portal_id = 99
    stage.run("run")
    assert listener.told[-1][0] == "/ping/abc/78"


def test_slack_hears_counts_and_no_names(stage: Stage, listener: Listener) -> None:
    """The channel gets one line with counts; nothing of a learner is in it."""
    stage.configure(notify={"slack_webhook": f"{listener.url}/hook"})
    learner = stage.learner(first_name="Zoë", last_name="Unmistakable", email="zoe@example.com")
    stage.enroll(learner)
    stage.run("run")
    (path, body), *others = listener.told
    assert (path, others) == ("/hook", [])
    assert "4 created" in body
    assert not re.search("Unmistakable|example.com", body)


def test_metrics_are_a_whole_file(stage: Stage) -> None:
    """The metrics file holds exit code, time and rows in Prometheus' form."""
    path = stage.folder / "metrics.prom"
    stage.configure(notify={"metrics_file": str(path)})
    stage.enroll(stage.learner())
    stage.run("run")
    lines = dict(line.split() for line in path.read_text().splitlines() if not line.startswith("#"))
    assert lines["learnupon_sync_exit_code"] == "0"
    assert lines["learnupon_sync_rows_created"] == "4"
    assert float(lines["learnupon_sync_finished_timestamp_seconds"]) > 1.7e9


@pytest.mark.fault("R14")
def test_a_listener_that_fails_changes_nothing(stage: Stage, listener: Listener) -> None:
    """Data and notification are two things: a refused message or file is a warning, the exit code is the data's."""
    listener.status = 404
    stage.configure(
        notify={"slack_webhook": f"{listener.url}/hook", "metrics_file": str(stage.folder / "missing" / "metrics.prom")}
    )
    stage.enroll(stage.learner())
    result = stage.run("run")
    assert result.code == 0
    assert "notify.slack_webhook could not be told" in result.err
    assert "notify.metrics_file could not be told" in result.err


def test_a_plan_tells_nobody(stage: Stage, listener: Listener) -> None:
    """What writes nothing is no news."""
    stage.configure(notify={"ping_url": f"{listener.url}/ping"})
    stage.run("plan")
    assert listener.told == []
