"""A disk that is full, dies on the way or cannot be written: no byte too many is relied on, no outcome hidden."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pytest
from runs.afterwards import at_rest, held
from runs.disks import dying, mounted, remount
from runs.nobody import anybody_s_stage, without_rights
from runs.result import Result
from runs.scenarios import night
from runs.small_world import furnish, quick
from runs.stage import CONTACT_ROWS, Stage

from etl.__main__ import main

_ANY = "."
_READING = r"POST \S*/jobs/query"
_CREATE, _UPLOAD, _CLOSE = r"POST \S*/jobs/ingest$", r"PUT \S*/batches$", r"PATCH \S*/jobs/ingest/\w+$"
_RESULTS = "/successfulResults"
_READ_BACK = r"^GET .*/query/?\?.*SELECT.Id.*FROM.Contact.WHERE.Id.IN"
"""Of what is written last."""


def failed(result: Result, stage: Stage) -> None:
    """See that a run whose disk died says so in its last line, with the place, what was written, and what to do."""
    assert result.code == 74, result.err
    last = result.err[result.err.rindex("error: ") :]
    assert str(stage.state_dir) in last
    assert "run again" in last
    ends = [counts[what] for counts in result.report["objects"].values() for what in ("created", "updated", "deleted")]
    written = sum(ends)
    assert (f"{written:,} row" if written else "Nothing was written to Salesforce") in last, last


def mended(stage: Stage) -> None:
    """See that one more run ends well, that nothing was left behind or done twice, and that no file is torn."""
    result = stage.synced()
    assert len(stage.rows(CONTACT_ROWS)) == 4
    at_rest(stage)
    assert not [path for path in stage.state_dir.rglob("*") if path.name.startswith(".") and path.name != ".alive"]
    for path in stage.state_dir.rglob("*.json"):
        json.loads(path.read_bytes())
    assert (result.code, not list(stage.state_dir.glob("runs/*/work"))) == (0, True)


@pytest.mark.fault("R7")
@pytest.mark.parametrize(
    ("request_", "nth"),
    [
        pytest.param("/oauth2/token", 1, marks=pytest.mark.long, id="signing in"),
        pytest.param(_READING, 3, id="reading"),
        pytest.param(_CREATE, 1, marks=pytest.mark.long, id="before the writes"),
        pytest.param(_CREATE, 3, id="making a job"),
        pytest.param(_UPLOAD, 3, marks=pytest.mark.long, id="filling it"),
        pytest.param(_CLOSE, 3, id="closing it"),
        pytest.param(_RESULTS, 3, marks=pytest.mark.long, id="its results"),
    ],
)
def test_a_disk_that_dies_stops_the_run(stage: Stage, request_: str, nth: int) -> None:
    """Whenever the disk stops taking bytes: 74 with the place, what was written, what to do; then one run ends it."""
    furnish(stage)
    with dying(stage, request_, nth):
        result = stage.run("run", "--json", clock=quick())
    failed(result, stage)
    unknown = result.counts(CONTACT_ROWS)["unknown"] if request_ in {_CLOSE, _RESULTS} else 0
    if unknown:
        assert result.report["jobs"][2] in result.err
    mended(stage)


@pytest.mark.fault("R14")
@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(_READ_BACK, id="reading back"),
        pytest.param(r"DELETE \S*/composite", marks=pytest.mark.long, id="the report"),
    ],
)
def test_a_report_that_cannot_be_written_does_not_change_the_outcome(stage: Stage, request_: str) -> None:
    """When the disk dies after the last write the data are right: 0, the report is printed, and a warning says so."""
    furnish(stage)
    with dying(stage, request_):
        result = stage.run("run", "--json", clock=quick())
    assert result.code == 0, result.err
    assert "the report is not whole" in result.err
    assert "the disk did not take report.json" in result.warnings
    assert result.folder is not None
    assert not (result.folder / "report.json").exists()
    assert result.report["objects"][CONTACT_ROWS]["created"] == 4
    mended(stage)


@pytest.mark.long
@pytest.mark.fault("R7")
@pytest.mark.parametrize("nth", range(1, 120, 2))
def test_a_disk_that_dies_at_any_request(stage: Stage, nth: int) -> None:
    """At every second request of a night of changes: 74 or a right 0; then one run ends as if nothing had been."""
    night(stage, lambda: stage.run(clock=quick()).code)
    with dying(stage, _ANY, nth):
        result = stage.run("run", "--json", clock=quick())
    assert result.code in {0, 74}, result.err
    before = held(stage)
    assert stage.run(clock=quick()).code == 0
    assert result.code or held(stage) == before
    at_rest(stage)
    stage.settled()


@pytest.mark.fault("R7")
def test_a_disk_that_is_too_small(stage: Stage, tmp_path: Path) -> None:
    """On a disk too small for a run: 74 and the remedy, or a right 0; given room, the next run ends well."""
    furnish(stage)
    with mounted(tmp_path / "small", 16) as place:
        stage.state_dir = place / "var"
        stage.configure(state_dir=str(stage.state_dir))
        for kilobytes in (4, 24):
            remount(place, f"size={kilobytes}k")
            result = stage.run("run", "--json", clock=quick())
            assert result.code in {0, 74}, result.err
            assert result.code == 0 or "free disk space" in result.err or "free space" in result.err
            assert kilobytes > 4 or result.code
        remount(place, "size=4000k")
        mended(stage)


@pytest.mark.fault("R8", "R7")
@pytest.mark.parametrize("command", ["run", pytest.param("plan", marks=pytest.mark.long)])
def test_a_folder_that_cannot_be_written(stage: Stage, tmp_path: Path, command: str) -> None:
    """A read-only state folder is 74 with its name before anybody is asked anything; the history can still be read."""
    furnish(stage)
    with mounted(tmp_path / "fixed", 4000) as place:
        stage.state_dir = place / "var"
        stage.configure(state_dir=str(stage.state_dir))
        stage.synced()
        remount(place, "ro")
        result = stage.run(command)
        assert (result.code, result.salesforce_calls, result.learnupon_calls) == (74, (), ())
        assert f"cannot use {stage.state_dir}" in result.err
        assert "point state_dir at a folder that can be written, then run again" in result.err
        assert "Nothing was written to Salesforce" in result.err
        assert "ok" in stage.run("runs").out
        remount(place, "rw")
        stage.settled()


@pytest.mark.fault("R8", "R7")
def test_a_folder_that_may_not_be_written() -> None:
    """Who may read the state folder but not write it is told 74 with its name before anybody is asked anything."""
    with anybody_s_stage() as stage:
        furnish(stage)
        with without_rights(stage):
            stage.synced()
            for folder in (stage.state_dir, *stage.state_dir.rglob("*")):
                folder.chmod(0o500 if folder.is_dir() else 0o400)
            result = stage.run()
            shown = stage.run("runs").out
            for folder in (stage.state_dir, *stage.state_dir.rglob("*")):
                folder.chmod(0o700 if folder.is_dir() else 0o600)
            stage.settled()
    assert (result.code, result.salesforce_calls, result.learnupon_calls) == (74, (), ())
    assert f"cannot use {stage.state_dir}" in result.err
    assert "give this user the right to write there, or change state_dir, then run again" in result.err
    assert ("Nothing was written to Salesforce" in result.err, "ok" in shown) == (True, True)


@pytest.mark.fault("R7")
def test_a_file_in_the_place_of_the_folder(stage: Stage) -> None:
    """A file where the state folder should be is 74 with its name, and nobody is asked anything."""
    stage.state_dir.write_text("not a folder", encoding="utf-8")
    result = stage.run()
    assert (result.code, result.salesforce_calls) == (74, ())
    assert str(stage.state_dir) in result.err
    assert "Nothing was written to Salesforce" in result.err


@pytest.mark.fault("R14")
@pytest.mark.parametrize(("command", "code"), [("run", 0), ("plan", 74)])
def test_output_that_nobody_can_keep(stage: Stage, command: str, code: int) -> None:
    """A full disk behind standard output: what was written stays 0 with a warning; of a plan the output is all: 74."""
    furnish(stage)
    said = io.StringIO()
    with suppress(OSError), Path("/dev/full").open("w") as full, redirect_stdout(full), redirect_stderr(said):
        ended = main(["-v", "--config", str(stage.config()), command], {})
    stage.canaries.check(said.getvalue())
    assert ended == code, said.getvalue()
    assert "standard output cannot be written" in said.getvalue()
    assert len(stage.rows(CONTACT_ROWS)) == (4 if command == "run" else 0)
    assert len(list(stage.state_dir.glob("runs/*/report.json"))) == 1
