"""What `undo` refuses, and what it is put back from: a private copy, whole, on the disk before the first write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from runs.org_time import OrgTime
from runs.result import Result
from runs.saved_plans import changes_of_every_kind
from runs.stage import Stage
from runs.undo_world import UNDO, run_id

from etl.clock import Clock
from etl.emulator.faults import Fault

COPY = "plan/copy.json"


class Look:
    """What lies in the folder of the run that is making its first job."""

    def __init__(self, stage: Stage) -> None:
        """Look there when called."""
        self._stage = stage
        self.modes: dict[str, int] = {}
        self.named: set[str] = set()

    def __call__(self, _: object) -> None:
        """Note the files, their modes, and which of them the manifest names."""
        folder = max((self._stage.state_dir / "runs").iterdir(), key=lambda path: path.stat().st_mtime_ns) / "plan"
        paths = [path for path in folder.rglob("*") if path.is_file()]
        self.modes = {path.relative_to(folder).as_posix(): path.stat().st_mode & 0o777 for path in paths}
        self.named = set(json.loads((folder / "copy.json").read_text(encoding="utf-8"))["files"])


Night = tuple[Stage, Result, Look]


@pytest.fixture(scope="module")
def stage_after(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """Give a stage and a run on it that has created, changed and deleted rows, once for the module."""
    with Stage(tmp_path_factory.mktemp("night")) as stage:
        changes_of_every_kind(stage)
        look = Look(stage)
        stage.emu.salesforce_faults.add(Fault(match=r"^POST .*/jobs/ingest$", hook=look))
        yield stage, stage.synced(), look


@pytest.fixture
def night(stage_after: Night) -> Iterator[Night]:
    """Give the night and put the configuration back afterwards."""
    stage, _, _ = stage_after
    configured = json.loads(json.dumps(stage.settings))
    yield stage_after
    stage.settings = configured


def refused(stage: Stage, run: Result, code: int, *words: str) -> Result:
    """Try to put a run back, and see that it is refused before anything is asked of Salesforce."""
    result = stage.run(UNDO, run_id(run), "--yes")
    told = result.out + result.err
    assert result.code == code, told
    assert (result.effects, result.ingest_jobs, result.salesforce_calls) == ([], [], ())
    for word in words:
        assert word in told, (word, told)
    return result


def home(run: Result) -> Path:
    """Return a run's folder."""
    assert run.folder is not None
    return run.folder


def test_another_target_is_refused(night: Night) -> None:
    """A copy of another org, of other objects, or of a portal that is no longer configured is refused with 78."""
    stage, run, _ = night
    configured = json.loads(json.dumps(stage.settings))
    changes: list[tuple[Callable[[], None], str]] = [
        (lambda: stage.configure(salesforce={"org_id": "00D5g00000OTHERR"[:15]}), "of org"),
        (lambda: stage.configure(salesforce={"namespace": "LearnUponP"}), "these are other objects"),
        (lambda: stage.configure(portals=stage.settings["portals"][:1]), "partners (67890)"),
    ]
    for change, words in changes:
        stage.settings = json.loads(json.dumps(configured))
        change()
        result = refused(stage, run, 78, words, "nothing was written")
        assert result.report["undoes"] == run_id(run)


def test_an_unknown_run_is_refused(night: Night) -> None:
    """A run id that is not in the history is a wrong usage: 64, the nearest one named, nobody asked, no folder left."""
    stage, run, _ = night
    near = run_id(run)[:-1] + ("0" if run_id(run)[-1] != "0" else "1")
    for name in (near, "../runs", ""):
        result = stage.run(UNDO, name, "--yes")
        assert (result.code, result.folder, result.salesforce_calls) == (64, None, ())
        assert "the nearest is 20" in result.err
    assert run_id(run) in stage.run(UNDO, near, "--yes").err


def test_a_run_that_is_still_at_work_is_refused(night: Night) -> None:
    """A run whose folder is alive is not put back, nor looked at: 75."""
    stage, run, _ = night
    with FileLock(str(home(run) / ".alive")):
        refused(stage, run, 75, "is still at work", "nothing was written")
        assert stage.run(UNDO, run_id(run), "--dry-run").code == 75


def test_a_damaged_copy_is_refused(night: Night) -> None:
    """A file that is torn, changed or missing, or a manifest that is, is named: 74, and nothing is written from it."""
    stage, run, _ = night
    folder = home(run)
    spare = stage.folder / "spare"
    shutil.copytree(folder / "plan", spare)
    deletes = next((folder / "plan").glob("*/deletes/*.arrow")).relative_to(folder / "plan")
    manifest = Path("copy.json")
    damages: list[tuple[Path, Callable[[bytes], bytes | None]]] = [
        (deletes, lambda text: text[:-100]),
        (deletes, lambda text: text[:-1] + bytes([text[-1] ^ 1])),
        (deletes, lambda _: b""),
        (deletes, lambda _: None),
        (manifest, lambda text: text[: len(text) // 2]),
        (manifest, lambda text: text.replace(b'"namespace": ""', b'"namespace": "X"')),
        (manifest, lambda text: text.replace(b'"format": 1', b'"format": 2')),
        (manifest, lambda _: b"[]"),
        (manifest, lambda _: None),
    ]
    for name, damage in damages:
        shutil.rmtree(folder / "plan")
        shutil.copytree(spare, folder / "plan")
        spoilt = damage((spare / name).read_bytes())
        (folder / "plan" / name).unlink()
        if spoilt is not None:
            (folder / "plan" / name).write_bytes(spoilt)
        result = stage.run(UNDO, run_id(run), "--yes")
        assert (result.code, result.effects, result.ingest_jobs) == (74, [], []), result.out
        assert name.name in result.err
        assert "nothing was written" in result.err
    (folder / "journal.jsonl").rename(stage.folder / "journal.jsonl")  # without both, nobody knows what it wrote
    assert stage.run(UNDO, run_id(run), "--yes").code == 74
    (stage.folder / "journal.jsonl").rename(folder / "journal.jsonl")
    shutil.rmtree(folder / "plan")
    shutil.copytree(spare, folder / "plan")
    assert stage.run(UNDO, run_id(run), "--yes").code == 0


def test_a_run_that_wrote_nothing_has_nothing_to_put_back(stage: Stage) -> None:
    """Plans, and runs that stopped before they wrote, end an undo with 0 and a word; nobody is asked in vain."""
    stage.learner()
    stage.emu.salesforce_faults.add(Fault(match=r"^POST .*/jobs/ingest$", status=400, times=None))
    failed = stage.run()
    assert failed.code == 69
    stage.emu.salesforce_faults.clear()
    stopped = stage.run("plan")
    result = stage.run(UNDO, run_id(stopped), "--yes")
    assert (result.code, result.salesforce_calls, result.effects) == (0, (), []), result.err
    assert f"run {run_id(stopped)} wrote nothing to Salesforce" in result.out
    looked = stage.run(UNDO, run_id(failed), "--yes")
    assert (looked.code, looked.effects) == (0, [])
    assert "is left to put back" in looked.out


def test_the_copy_is_whole_and_private_before_the_first_write(night: Night) -> None:
    """When the first job is made, every changed and deleted row lies in files that only their owner may read."""
    _, _, look = night
    assert set(look.modes.values()) == {0o600}
    assert set(look.modes) == {*look.named, "copy.json"}
    assert {name.split("/")[1] for name in look.named} == {"creates", "updates", "before", "deletes"}


def test_the_copy_is_kept_as_long_as_reports_are(stage: Stage) -> None:
    """A run can be put back for report.keep_days; later the next run removes it, though not a look at it by undo."""
    stage.learner()
    night, time, keep = stage.synced(), OrgTime(stage), 30
    stage.configure(report={"keep_days": keep})
    for days, kept in ((keep - 1, True), (keep + 1, False)):
        later = Clock(now=lambda days=days: datetime.now(UTC) + timedelta(days=days))  # type: ignore[misc]
        time.ahead_s = days * 86_400.0
        assert stage.run(UNDO, run_id(night), "--dry-run", clock=later).code == 0
        assert (home(night) / COPY).is_file()
        stage.run("run", "--dry-run", clock=later)
        assert (home(night) / COPY).is_file() == kept
    assert stage.run(UNDO, run_id(night), "--yes").code == 64
