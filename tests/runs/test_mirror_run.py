"""Whole runs that read Salesforce by a mirror: what they cost, what they say, and that nothing else is different."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from runs.org_time import OrgTime
from runs.result import Result
from runs.small_world import furnish
from runs.stage import CONTACT_ROWS, Stage

_DAY = 24 * 60
_SHARE = 0.05


class _Scales(HTTPAdapter):
    """Weighs the answers to questions about rows of Salesforce, as they come over the wire."""

    weighed: Counter[str]

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
        """Send a request, and add up the bytes of its answer."""
        answer = super().send(request, **how)
        if "/query" in (request.path_url or "").partition("?")[0]:
            self.weighed["bytes"] += int(answer.headers["Content-Length"])
            self.weighed["requests"] += 1
        return answer


def _weighed(stage: Stage) -> tuple[Result, Counter[str]]:
    weighed: Counter[str] = Counter()

    def scales(pool: int) -> BaseAdapter:
        made = _Scales(pool_connections=pool, pool_maxsize=pool)
        made.weighed = weighed
        return made

    return stage.run("run", transport=scales), weighed


def _facts(result: Result) -> tuple[Any, ...]:
    """Return what a report says of rows, whichever way they were read."""
    report = result.report
    return report["objects"], report["guards"], report["portals"], report["warnings"], report["samples"]


def _ways(result: Result) -> set[str]:
    return set(result.report["reads"].values())


def test_a_night_without_changes_costs_a_twentieth_of_a_full_read(tmp_path: Path) -> None:
    """Of the bytes about rows at most 5 % come, by fewer requests, and the report says the same of all rows."""
    with Stage(tmp_path, learners=110, enrollments_per_learner=25) as stage:
        time = OrgTime(stage)
        stage.synced()
        shutil.rmtree(stage.state_dir)
        time.jump(_DAY)
        full, whole = _weighed(stage)
        time.jump(_DAY)
        quick, little = _weighed(stage)
    assert (full.code, quick.code, quick.ingest_jobs) == (0, 0, [])
    assert _ways(full) == {"full read: no earlier read is kept"}
    assert _ways(quick) == {"mirror + 0 changed rows"}
    assert little["bytes"] <= _SHARE * whole["bytes"]
    assert little["requests"] < whole["requests"]
    assert _facts(quick) == _facts(full)


def test_a_plan_by_a_mirror_is_the_plan_of_a_full_read(stage: Stage) -> None:
    """After a night in which people edited both ends, `plan` says the same with the mirror and without one."""
    time, world = OrgTime(stage), furnish(stage)
    stage.synced()
    time.jump(_DAY)
    stage.synced()
    time.jump(_DAY)
    stage.enroll(world.learners[1], world.second_course)
    rows = stage.rows(CONTACT_ROWS)
    stage.org.update(CONTACT_ROWS, rows[min(rows)]["Id"], {"Status__c": "Edited"})
    stage.org.delete(CONTACT_ROWS, rows[max(rows)]["Id"])
    stage.org.delete("Contact", min(stage.rows("Contact")))
    quick = stage.run("plan", "--show-values")
    stage.configure(salesforce={"full_read_days": 0})
    full = stage.run("plan", "--show-values")
    assert all(way.startswith("mirror + ") for way in _ways(quick))
    assert _ways(full) == {"full read: salesforce.full_read_days is 0"}
    assert _facts(quick) == _facts(full)
    assert quick.report["objects"][CONTACT_ROWS]["create"] == 1


def test_what_a_run_wrote_is_read_by_the_next_one(stage: Stage) -> None:
    """The mirror is older than a run's own writes: the night after reads them as changes, and writes nothing."""
    time, world = OrgTime(stage), furnish(stage)
    stage.synced()
    time.jump(_DAY)
    stage.enroll(world.learners[1], world.second_course)
    stage.synced()
    time.jump(_DAY)
    again = stage.synced()
    assert again.effects == []
    assert again.report["reads"][CONTACT_ROWS] == "mirror + 1 changed rows"
    assert stage.run("undo", again.report["run_id"], "--yes").code == 0
    stage.settled()
    assert _ways(stage.synced("totals")) == {"full read: not all objects are read"}


def test_the_log_says_how_each_object_was_read(stage: Stage) -> None:
    """Also when nothing is written, and why."""
    furnish(stage)
    stage.synced()
    shutil.rmtree(stage.state_dir)
    result = stage.run("-v", "plan")
    assert f"{CONTACT_ROWS}: full read: no earlier read is kept, 4 rows" in result.err
    assert not (stage.state_dir / "mirror").exists()
