"""What earlier runs left in the state folder: history, reports, unfinished jobs, leftovers and pruning."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etl.clock import Clock
from etl.errors import UsageFault
from etl.state import Journal, RunDir, history, load_report, prune, remove_leftovers, unfinished_journals
from etl.state.history import own_deletes

NOW = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
CLOCK = Clock(now=lambda: NOW)
RUN = "20261122T010000Z-1a2b"


def make_run(state: Path, run_id: str, *, report: dict[str, object] | None = None) -> Path:
    """Leave the folder of a run that has ended (or died, without a report)."""
    with RunDir(state, run_id, CLOCK) as run:
        if report is not None:
            run.write_text("report.json", json.dumps(report))
    return run.path


def test_history_is_newest_first_with_what_became_of_each_run(tmp_path: Path) -> None:
    """A finished run shows its counts, a run without a report died, a broken report is unreadable."""
    report = {
        "command": "run",
        "outcome": "ok",
        "exit_code": 0,
        "started_at": "2026-11-22T01:00:00Z",
        "seconds": 12.5,
        "objects": {"Contact": {"update": 4, "updated": 3, "refused": 1}, "User": {"update": 2, "updated": 2}},
    }
    make_run(tmp_path, RUN, report=report)
    make_run(tmp_path, "20261120T010000Z-0000")
    (make_run(tmp_path, "20261121T010000Z-0000") / "report.json").write_text("{")
    (tmp_path / "runs" / "99999999T999999Z-0000").mkdir()
    (tmp_path / "runs" / "notes").mkdir()
    runs = history(tmp_path)
    assert [(run.run_id[:8], run.outcome) for run in runs] == [
        ("20261122", "ok"),
        ("20261121", "unreadable"),
        ("20261120", "died"),
    ]
    assert (runs[0].planned, runs[0].updated, runs[0].refused, runs[0].seconds) == (6, 5, 1, 12.5)
    assert runs[2].started_at == "2026-11-20T01:00:00Z"


def test_no_state_folder_is_an_empty_history(tmp_path: Path) -> None:
    """Before the first run there is nothing to list, to prune or to adopt, and nothing is made by asking."""
    state = tmp_path / "var"
    assert (history(state), unfinished_journals(state), prune(state, 30, NOW)) == ([], [], [])
    assert not state.exists()


@pytest.mark.parametrize("asked", ["20261122T010000Z-1a2c", "../../etc", "", "x"])
def test_an_unknown_run_id_names_the_nearest(tmp_path: Path, asked: str) -> None:
    """An id that is not there is wrong usage, and no path can be smuggled in by it."""
    make_run(tmp_path, RUN, report={"run_id": RUN})
    make_run(tmp_path, "20250101T000000Z-ffff", report={})
    with pytest.raises(UsageFault, match="nearest is 20"):
        load_report(tmp_path, asked)
    assert load_report(tmp_path, RUN) == {"run_id": RUN}


def test_a_run_without_a_report_is_named_as_such(tmp_path: Path) -> None:
    """Asking for the report of a run that died says so."""
    make_run(tmp_path, RUN)
    with pytest.raises(UsageFault, match="no readable report"):
        load_report(tmp_path, RUN)


def test_prune_keeps_what_may_still_be_needed(tmp_path: Path) -> None:
    """Old runs go, but never the newest finished one, one with an unfinished job, or one still running."""
    finished: dict[str, object] = {"outcome": "ok"}
    old, newest = "20260101T000000Z-0001", "20260105T000000Z-0005"
    make_run(tmp_path, old, report=finished)
    job = make_run(tmp_path, "20260102T000000Z-0002", report=finished)
    Journal(job / "journal.jsonl").record("job_created", job="750A")
    make_run(tmp_path, "20260103T000000Z-0003")
    make_run(tmp_path, newest, report=finished)
    make_run(tmp_path, "20261121T000000Z-0006")
    with RunDir(tmp_path, "20260104T000000Z-0004", CLOCK):
        removed = prune(tmp_path, 30, NOW)
    assert sorted(removed) == [old, "20260103T000000Z-0003"]
    assert [run.run_id[-1] for run in history(tmp_path)] == ["6", "5", "4", "2"]


def test_prune_counts_whole_days(tmp_path: Path) -> None:
    """A run exactly `keep_days` old stays; a second more and it goes."""
    make_run(tmp_path, RUN, report={})
    make_run(tmp_path, "20261101T010000Z-0001")
    begun = datetime(2026, 11, 1, 1, 0, tzinfo=UTC)
    assert prune(tmp_path, 7, begun + timedelta(days=7)) == []
    assert prune(tmp_path, 7, begun + timedelta(days=7, seconds=1)) == ["20261101T010000Z-0001"]


def test_only_runs_that_may_have_left_a_job_are_unfinished(tmp_path: Path) -> None:
    """A job without an end, or a creation never heard of again, makes a journal unfinished; an end settles it."""
    events: dict[str, list[tuple[str, str]]] = {
        "20261101T000000Z-0001": [("job_creating", ""), ("job_created", "750A"), ("job_closing", "750A")],
        "20261102T000000Z-0002": [("job_creating", "")],
        "20261103T000000Z-0003": [("job_creating", ""), ("job_created", "750B"), ("job_ended", "750B")],
        "20261104T000000Z-0004": [("job_creating", ""), ("job_created", "750C"), ("job_aborted", "750C")],
        "20261105T000000Z-0005": [],
    }
    for run_id, names in events.items():
        journal = Journal(make_run(tmp_path, run_id) / "journal.jsonl", CLOCK)
        for name, job in names:
            journal.record(name, **({"job": job} if job else {}))
    found = unfinished_journals(tmp_path)
    assert [(journal.run_id[-4:], journal.unfinished_jobs()) for journal in found] == [("0001", ["750A"]), ("0002", [])]
    found[0].record("job_adopted", job="750A")
    found[1].record("job_lost", aborted=0)
    assert unfinished_journals(tmp_path) == []


def test_leftovers_of_dead_runs_go_and_those_of_live_ones_stay(tmp_path: Path) -> None:
    """At the next start only scratch folders and half-written files of runs that have died are removed."""
    code = (
        "import sys, time; from pathlib import Path; from etl.state import RunDir\n"
        "run = RunDir(Path(sys.argv[1]), sys.argv[2]); (run.work / 'x').write_text('x')\n"
        "(run.path / '.report.json.abcd').write_text('half'); print('ready', flush=True); time.sleep(60)"
    )
    other = "20261121T010000Z-0000"
    with subprocess.Popen([sys.executable, "-c", code, tmp_path, other], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with RunDir(tmp_path, RUN, CLOCK) as run:
            remove_leftovers(tmp_path)
            assert (tmp_path / "runs" / other / "work" / "x").exists()
            assert [one.outcome for one in history(tmp_path)] == ["running", "running"]
            process.send_signal(signal.SIGKILL)
            process.wait()
            remove_leftovers(tmp_path)
            assert run.work.exists()
        assert [path.name for path in (tmp_path / "runs" / other).iterdir()] == [".alive"]
        assert [one.outcome for one in history(tmp_path)] == ["died", "died"]


@pytest.mark.parametrize("written", [False, True])
def test_the_plan_of_a_dead_run_stays_as_long_as_it_may_have_been_written(tmp_path: Path, *, written: bool) -> None:
    """Rows of a plan are gigabytes: without the copy's manifest nothing was written, and they go with the scratch."""
    folder = make_run(tmp_path, RUN)
    for name in ("work/a.arrow", "plan/Contact/creates/0.arrow", *(["plan/copy.json"] if written else [])):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    remove_leftovers(tmp_path)
    assert not (folder / "work").exists()
    assert (folder / "plan").exists() is written


def test_runs_of_one_second_are_in_the_order_they_ended(tmp_path: Path) -> None:
    """Two runs begun in the same second are told apart by which folder was written last, not by chance."""
    names = ["20261122T010000Z-ffff", "20261122T010000Z-0000", "20261122T010000Z-8888"]
    for number, name in enumerate(names):
        folder = make_run(tmp_path, name, report={"outcome": "ok"})
        os.utime(folder, ns=(number, 1_000_000_000 + number))
    make_run(tmp_path, "20261122T005959Z-aaaa", report={"outcome": "ok"})
    assert [run.run_id for run in history(tmp_path)] == [*reversed(names), "20261122T005959Z-aaaa"]


def test_deletes_that_a_person_allowed(tmp_path: Path) -> None:
    """Deletes in this org, in these portals, since then are allowed when an override lifted a guard on them, or not."""

    def report(**changes: object) -> dict[str, object]:
        return {
            "org_id": "org",
            "overrides": {"allow_deletes": 9},
            "portals": [{"portal_id": 1}],
            "guards": [{"name": "max_deletes", "overridden": True}],
            "objects": {"One": {"deleted": 7}, "Two": {"deleted": 1}},
        } | changes

    others: list[dict[str, object]] = [
        {"org_id": "another"},
        {"overrides": {}},
        {"portals": [{"portal_id": 1}, {"portal_id": 3}]},
        {"guards": [{"name": "max_deletes", "overridden": False}]},
        {"guards": [{"name": "max_update_percent", "overridden": True}]},
        {"guards": "damaged"},
        {"portals": None},
    ]
    make_run(tmp_path, "20261122T010000Z-0000", report=report())
    make_run(tmp_path, "20261122T010001Z-0000", report=report(guards=[{"name": "scope_changed", "overridden": True}]))
    make_run(tmp_path, "20261122T010002Z-0000")
    make_run(tmp_path, "20261122T005959Z-0000", report=report())
    for number, changes in enumerate(others):
        make_run(tmp_path, f"20261122T02000{number}Z-0000", report=report(**changes))
    found = own_deletes(tmp_path, since=NOW, org_id="org", portal_ids=frozenset({1, 2}))
    assert found == ({"One": 14, "Two": 2}, {"One": 21, "Two": 3})
    assert own_deletes(tmp_path / "none", since=NOW, org_id="org", portal_ids=frozenset({1})) == ({}, {})
