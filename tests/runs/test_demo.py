"""`demo`: the whole program without any account, told as a story of four runs that leaves its reports."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from etl.__main__ import main
from etl.demo import verdict
from etl.report.model import ObjectCounts, Report


def called(*arguments: str) -> tuple[int, str, str]:
    """Call the program without a configuration; return exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(list(arguments), environ={})
    return code, out.getvalue(), err.getvalue()


def reports(folder: Path) -> list[dict[str, Any]]:
    """Return the reports below a state folder, in the order of the runs."""
    paths = (folder / "runs").glob("*/report.json")
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return sorted(found, key=lambda report: (report["started_at"], report["finished_at"]))


def test_four_chapters(tmp_path: Path) -> None:
    """A plan, the first load, nothing to do, a night of changes; all well, told on standard output, reports left."""
    folder = tmp_path / "demo"
    code, out, err = called("demo", "--learners", "60", "--out", str(folder))
    assert code == 0, out + err
    assert re.findall(r"^== (\d\. \w+) =+$", out, re.MULTILINE) == ["1. plan", "2. run", "3. run", "4. run"]
    assert err == ""
    left = {report["run_id"]: report for report in reports(folder)}
    told = [re.sub(r".*/", "", path) for path in re.findall(r"^Report: (.+)$", out, re.MULTILINE)]
    assert sorted(told) == sorted(left)
    plan, first, again, night = (left[run_id] for run_id in told)
    assert [one["command"] for one in (plan, first, again, night)] == ["plan", "run", "run", "run"]
    for report in left.values():
        assert (report["outcome"], report["exit_code"]) == ("ok", 0)
    planned = {name: counts["create"] for name, counts in plan["objects"].items()}
    assert planned == {name: counts["created"] for name, counts in first["objects"].items()}
    assert sum(planned.values()) > 60
    for counts in again["objects"].values():
        assert counts["unchanged"] == counts["desired"] == counts["existing"]
    done = {word: sum(one[word] for one in night["objects"].values()) for word in ("created", "updated", "deleted")}
    assert min(done.values()) > 0, done
    page = re.findall(r"^The last report as a page: (.+)$", out, re.MULTILINE)
    assert page == [str(folder / "runs" / told[-1] / "report.html")]
    assert "<html" in Path(page[0]).read_text(encoding="utf-8")
    _listed(folder, told)


def _listed(folder: Path, told: list[str]) -> None:
    """See that `runs --state-dir`, as the story recommends, lists the four runs."""
    code, out, _ = called("runs", "--state-dir", str(folder))
    assert code == 0
    lines = out.splitlines()[1:]
    assert sorted(line.split()[0] for line in lines) == sorted(told)
    code, out, _ = called("runs", "--state-dir", str(folder), "--json")
    assert (code, len(json.loads(out))) == (0, 4)


@pytest.mark.parametrize(("learners", "seed"), [("80", "1")])
def test_a_small_portal_does_not_trip_its_own_guards(tmp_path: Path, learners: str, seed: str) -> None:
    """In a small invented portal a night is a large share of the rows; the story is told to its end all the same."""
    code, out, err = called("demo", "--learners", learners, "--seed", seed, "--out", str(tmp_path))
    assert code == 0, out + err
    assert [report["exit_code"] for report in reports(tmp_path)] == [0, 0, 0, 0]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A demo whose folder is a file is told what is wrong with it instead of a traceback."""
    file = tmp_path / "file"
    file.touch()
    code, _, err = called("demo", "--learners", "10", "--out", str(file))
    assert code == 64
    assert str(file) in err


def test_a_refused_row_of_the_last_night_is_a_failure() -> None:
    """The demo ends with the last run's code, and with 1 when the second run had something to do."""
    idle, busy = Report("idle"), Report("busy", objects={"Contact": ObjectCounts(update=1)})
    well, refused = Report("well", exit_code=0), Report("refused", exit_code=1)
    assert [verdict(idle, well), verdict(idle, refused), verdict(busy, well), verdict(busy, refused)] == [0, 1, 1, 1]
