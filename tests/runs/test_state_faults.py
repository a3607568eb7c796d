"""State files torn at any byte, damaged, or of another form: never read as whole, never a baseline, the run right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from runs.afterwards import at_rest
from runs.saved_plans import changes_of_every_kind, plan_into
from runs.small_world import furnish, quick
from runs.stage import CONTACT_ROWS, Stage

from etl.clock import Clock
from etl.emulator.faults import Fault
from etl.errors import GuardTripped, LockHeld, UsageFault
from etl.state import Journal, history, load_report, lock, unfinished_journals
from etl.state.kept import KeptListings
from etl.state.saved import SavedPlan
from etl.state.scopes import FILE, read_scopes

NOW = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
FOREIGN = (
    b"", b"{}", b"[]", b"null", b"7", b'"text"', b"\xff\xfe", b"\x00" * 64, b'{"objects": []}', b'{"format": 99}',
    b'{"objects": {"Contact": {"create": null}}, "portals": {}}', b'{"event": 7, "job": ["x"], "token": {}}\n',
    b'{"event": "job_creating", "at": "yesterday"}\n', b'{"event": "job_created", "job": "../../limits"}\n',
)  # fmt: skip
"""What a state file may hold that another program, or another version of this one, has written."""


_STEPS = pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long, id="every byte"), 23])
_LAST = 30


def cuts(path: Path, step: int = 1) -> Iterator[int]:
    """Cut a file, from its end to nothing, at every byte or at every `step`th and the last few; give what is left."""
    whole = path.read_bytes()
    for length in range(len(whole) - 1, -1, -1):
        if not length % step or len(whole) - length < _LAST:
            path.write_bytes(whole[:length])
            yield length


@pytest.fixture
def left(stage: Stage) -> Path:
    """Give the folder of a run that has ended well."""
    furnish(stage)
    folder = stage.synced().folder
    assert folder is not None
    return folder


@_STEPS
def test_a_report_torn_anywhere_is_none(stage: Stage, left: Path, step: int) -> None:
    """A report cut at any byte is shown as unreadable, and as nothing else; `runs RUN_ID` says so."""
    for length in cuts(left / "report.json", step):
        (line,) = history(stage.state_dir)
        if line.outcome == "ok":
            assert (left / "report.json").read_bytes().endswith(b"}"), "all but the line end was there"
            continue
        assert (line.outcome, line.created) == ("unreadable", 0), length
        with pytest.raises(UsageFault, match="no readable report"):
            load_report(stage.state_dir, left.name)


@_STEPS
def test_a_journal_torn_anywhere_is_a_shorter_one(stage: Stage, left: Path, step: int) -> None:
    """A journal cut at any byte holds the events before the cut, whole, and no other; what is unfinished follows."""
    path = left / "journal.jsonl"
    whole = Journal(path).events()
    for length in cuts(path, step):
        events = Journal(path).events()
        assert events == whole[: len(events)], length
        assert len(unfinished_journals(stage.state_dir)) <= 1
        begun = {event["job"] for event in events if "job" in event}
        ended = {event["job"] for event in events if event["event"] in {"job_ended", "job_aborted"}}
        assert set(Journal(path).unfinished_jobs()) == begun - ended, length


def test_a_holder_torn_anywhere_still_holds(tmp_path: Path) -> None:
    """Whatever is left of the note on who holds the lock, the lock holds."""
    with lock(tmp_path, run_id="20261122T010000Z-1a2b"):
        for _ in cuts(tmp_path / "lock.json"):
            with pytest.raises(LockHeld, match="another run holds"), lock(tmp_path):
                pytest.fail("two runs hold the lock")


@_STEPS
def test_a_scope_torn_anywhere_is_none(stage: Stage, left: Path, step: int) -> None:
    """What was kept of the last run's scope is there whole or not at all, wherever its file was cut."""
    assert left.is_dir()
    ((org, kept),) = json.loads((stage.state_dir / FILE).read_bytes())["orgs"].items()
    known = read_scopes(stage.state_dir, org, kept)
    assert set(known) == set(kept)
    for length in cuts(stage.state_dir / FILE, step):
        assert read_scopes(stage.state_dir, org, kept) in ({}, known), length


def test_a_saved_plan_torn_anywhere_is_refused(stage: Stage) -> None:
    """A manifest cut at any byte is no plan; rows cut at any byte are not those that were saved."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    text = (folder / "plan.json").read_bytes()
    for length in range(0, len(text.rstrip()), 61):
        (folder / "plan.json").write_bytes(text[:length])
        with pytest.raises(GuardTripped, match="nothing was written"):
            SavedPlan(folder)
    (folder / "plan.json").write_bytes(text)
    rows = next((folder / "rows").rglob("creates/*.arrow"))
    for number, _ in enumerate(cuts(rows, 997)):
        with pytest.raises(GuardTripped, match="nothing was written"):
            SavedPlan(folder).take(stage.folder / f"copy-{number}")


@_STEPS
def test_a_kept_listing_torn_anywhere_is_read_anew(tmp_path: Path, step: int) -> None:
    """A listing kept by a stopped backfill is used whole, or not at all: cut at any byte it is asked for again."""
    schema = pa.schema({"id": pa.int64(), "name": pa.string()})
    pages = [pa.record_batch({"id": [n], "name": [f"course {n}"]}, schema=schema) for n in range(3)]
    first = KeptListings(tmp_path / "kept", NOW)
    assert list(first.listing("a", schema, pages)) == pages
    path = tmp_path / "kept" / "a.arrow"
    whole = path.read_bytes()
    assert list(KeptListings(tmp_path / "kept", NOW).listing("a", schema, [])) == pages
    for length in range(0, len(whole), step):
        path.write_bytes(whole[:length])
        assert list(KeptListings(tmp_path / "kept", NOW).listing("a", schema, pages)) == pages, length
    other = pa.schema({"id": pa.int64(), "name": pa.string(), "more": pa.string()})
    assert list(KeptListings(tmp_path / "kept", NOW).listing("a", other, [])) == [], "a listing of another form is none"


def test_the_age_of_kept_listings_torn_anywhere_is_none(tmp_path: Path) -> None:
    """When the moment at which keeping began cannot be read, or lies ahead, all that was kept is thrown away."""
    begun = tmp_path / "kept" / "begun"
    KeptListings(tmp_path / "kept", NOW)
    whole = begun.read_bytes()
    texts = [whole[:length] for length in range(len(whole))] + [b"2999-01-01T00:00:00Z", b"2026-11-22", *FOREIGN]
    for text in texts:
        begun.write_bytes(text)
        (tmp_path / "kept" / "a.arrow").write_bytes(b"old")
        KeptListings(tmp_path / "kept", NOW)
        assert (begun.read_bytes(), (tmp_path / "kept" / "a.arrow").exists()) == (whole, False), text


@pytest.mark.fault("R13")
@pytest.mark.parametrize("share", [pytest.param(0.0, marks=pytest.mark.long), 0.97])
def test_a_torn_journal_costs_nothing(stage: Stage, share: float) -> None:
    """With the journal of a run that left a running job cut anywhere, the next run waits for that job all the same."""
    furnish(stage)
    stage.configure(salesforce={"job_timeout_minutes": 5})
    stage.org.stuck_jobs = 1
    result = stage.run(clock=quick())
    assert result.code == 75
    assert result.folder is not None
    journal = result.folder / "journal.jsonl"
    text = journal.read_bytes()
    journal.write_bytes(text[: int(len(text) * share)])
    stage.before(r"GET \S*/jobs/ingest/\w+$", stage.org.unstick)
    again = stage.synced()
    assert f"job {result.report['jobs'][0]}" in again.warnings
    at_rest(stage)


def _spoilt(folder: Path, content: bytes) -> int:
    """Put something else into every file of a state folder, and return into how many."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        path.write_bytes(content)
    return len(files)


@pytest.mark.fault("R13")
def test_no_state_file_is_a_baseline(stage: Stage, left: Path) -> None:
    """Whatever a foreign hand has put into all state files: the run is right, finds nothing to do, and `runs` lists."""
    shutil.copytree(stage.state_dir, stage.folder / "copy")
    for number, content in enumerate(FOREIGN):
        shutil.rmtree(stage.state_dir)
        shutil.copytree(stage.folder / "copy", stage.state_dir)
        assert _spoilt(stage.state_dir, content) > 8
        listed = stage.run("runs")
        assert (listed.code, left.name in listed.out, " ok " in listed.out) == (0, True, False), (content, listed.out)
        assert stage.run("runs", left.name).code in {0, 64}, content
        if number in {3, len(FOREIGN) - 1}:
            result = stage.synced()
            assert (result.effects, result.ingest_jobs) == ([], []), content


@pytest.mark.fault("R13")
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: data[:-9], id="without its footer"),
        pytest.param(lambda data: data[: len(data) // 2], marks=pytest.mark.long, id="half of it"),
    ],
)
def test_a_backfill_does_not_go_on_from_a_torn_listing(stage: Stage, spoil: Callable[[bytes], bytes]) -> None:
    """Of listings kept by a stopped backfill the torn ones are read anew: every row comes in, every total is right."""
    stage.configure(portals=[{**portal, "concurrency": 1} for portal in stage.settings["portals"][:1]])
    learner = stage.learner()
    rows = [stage.enroll(learner) for _ in range(3)]
    last = f"search.course_id={max(stage.academy.courses)}"
    # Threads ask in an order of their own: the last course is first put off, so that all others are read by then.
    stage.emu.learnupon_faults.add(Fault(match=last, status=503))
    stage.emu.learnupon_faults.add(Fault(match=last, nth=2, status=200, body="<html>not now</html>"))
    assert stage.run("backfill").code == 65
    kept = sorted((stage.state_dir / "backfill").rglob("*.arrow"))
    assert len(kept) == 2
    kept[0].write_bytes(spoil(kept[0].read_bytes()))
    result = stage.run("backfill")
    assert (result.code, len(stage.rows(CONTACT_ROWS))) == (0, len(rows))
    assert "1 listings were taken from the same backfill" in result.out
    assert next(iter(stage.rows("Contact").values()))["LU_Number_Enrolled__c"] == len(rows)


@pytest.mark.fault("R3")
def test_what_a_dead_run_was_writing_is_removed_by_the_next_that_writes(stage: Stage) -> None:
    """A file half-written beside another one goes with the next run, not with a plan: a run may be at it just then."""
    stage.learner()
    stage.synced()
    torn = [stage.state_dir / f".{name}.json.new" for name in ("missing", "scopes")]
    for path in torn:
        path.write_text('{"format": 1, "or')
    assert stage.run("plan").code == 0
    assert all(path.exists() for path in torn)
    stage.synced()
    assert not any(path.exists() for path in torn)


def _jumping(after: int, by: timedelta) -> Clock:
    """Return a clock whose wall time jumps at the n-th look at it; the other one goes on."""
    looks = iter(range(10_000))

    def now() -> datetime:
        return datetime.now(UTC) + (by if next(looks) >= after else timedelta())

    return Clock(now=now)


@pytest.mark.fault("R10")
@pytest.mark.parametrize(
    "by",
    [
        pytest.param(timedelta(days=-1), marks=pytest.mark.long, id="back a day"),
        pytest.param(timedelta(days=366), id="ahead a year"),
    ],
)
def test_a_clock_that_jumps_changes_nothing(stage: Stage, by: timedelta) -> None:
    """A wall clock set in the middle of a run: the rows are right, no time is negative, and no old run is removed."""
    world = furnish(stage)
    earlier = [stage.synced().folder, stage.synced().folder]
    stage.enroll(world.learners[1], world.second_course)
    result = stage.run(clock=_jumping(4, by))
    assert (result.code, result.counts(CONTACT_ROWS)["created"]) == (0, 1), result.err
    assert 0 <= result.report["seconds"] < 60
    assert all(folder is not None and (folder / "report.json").is_file() for folder in earlier)
    stage.settled()
