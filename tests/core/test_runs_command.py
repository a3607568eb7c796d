"""The `runs` command: the history as a table or JSON, and one run in full."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from config_files import ENVIRON, GOOD, write

from etl.__main__ import main
from etl.report.model import ObjectCounts, Report, to_json

IDS = [f"2026010{day}T020000Z-00a{day}" for day in (1, 2, 3)]


def _leave(state_dir: Path, run_id: str, *, created: int) -> None:
    folder = state_dir / "runs" / run_id
    folder.mkdir(parents=True)
    counts = ObjectCounts(desired=created, create=created, created=created)
    report = Report(run_id, objects={"LearnUponContactEnrollment__c": counts})
    (folder / "report.json").write_text(json.dumps(to_json(report)))


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Return a state folder with two runs that ended and one that was killed."""
    folder = tmp_path / "var"
    _leave(folder, IDS[0], created=12)
    _leave(folder, IDS[1], created=1234)
    (folder / "runs" / IDS[2]).mkdir()
    return folder


def test_the_table_is_newest_first_with_outcomes_and_counts(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each run is one line; one that left no report is said to have died."""
    assert main(["runs", "--state-dir", str(state_dir)], {}) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "RUN"
    assert [line.split()[0] for line in lines] == IDS[::-1]
    assert "died" in lines[0]
    assert "1,234" in lines[1]


def test_the_list_can_be_cut_and_says_so(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is left out is counted."""
    assert main(["runs", "--state-dir", str(state_dir), "--limit", "1"], {}) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 older ones are not shown (--limit)"


def test_the_history_as_json(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads the same as a person."""
    assert main(["runs", "--state-dir", str(state_dir), "--json"], {}) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(run["run_id"], run["outcome"], run["created"]) for run in found] == [
        (IDS[2], "died", 0),
        (IDS[1], "ok", 1234),
        (IDS[0], "ok", 12),
    ]


def test_one_run_in_full(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With an id the summary of that run is shown, or its report as it is with --json."""
    assert main(["runs", IDS[1], "--state-dir", str(state_dir)], {}) == 0
    out = capsys.readouterr().out
    assert "1,234" in out
    assert str(state_dir / "runs" / IDS[1]) in out
    assert main(["runs", IDS[1], "--state-dir", str(state_dir), "--json"], {}) == 0
    assert json.loads(capsys.readouterr().out)["run_id"] == IDS[1]


@pytest.mark.parametrize("run_id", [IDS[1][:-1] + "9", IDS[2], "../../etc"])
def test_a_run_that_is_not_there_is_wrong_usage(
    state_dir: Path, run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown id, or a run without a report, is 64 with a hint."""
    assert main(["runs", run_id, "--state-dir", str(state_dir)], {}) == 64
    assert run_id in capsys.readouterr().err


def test_the_state_folder_is_that_of_the_configuration(
    tmp_path: Path, state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --state-dir the configuration says where the history is."""
    path = write(tmp_path, {**GOOD, "state_dir": str(state_dir)})
    assert main(["runs", "--config", str(path)], ENVIRON) == 0
    assert IDS[0] in capsys.readouterr().out
