"""The planted bugs: their list fits the source as it is, and the runner tells what was found from what was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mutants.__main__ import ROOT, main
from mutants.catalogue import MUTANTS
from mutants.mutant import Mutant, problems

SUM = "def total(one: int, other: int) -> int:\n    return one + other\n"
TEST = "from etl.sum import total\n\ndef test_total():\n    assert total(2, 2) == 4\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project of one function and one test, which is too weak."""
    for name, text in (("etl/__init__.py", ""), ("etl/sum.py", SUM), ("tests/test_sum.py", TEST)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['.']\n", encoding="utf-8")
    return tmp_path


def planted(bug: str, becomes: str, **more: object) -> Mutant:
    """Return a bug of that project's function."""
    named = {"tests": ("test_sum.py::test_total",), "source": "return one + other", **more}
    return Mutant(id=bug.split(maxsplit=1)[0], bug=bug, file="etl/sum.py", planted=becomes, **named)  # type: ignore[arg-type]


def test_the_list_fits_the_source() -> None:
    """Each bug's piece of source is there exactly once, what it plants is Python, and the tests it names exist."""
    assert problems(MUTANTS, ROOT) == []
    assert len(MUTANTS) >= 100


def test_each_harness_is_the_only_judge_of_some_bugs() -> None:
    """The simulation and the runs that are killed must see bugs by themselves, without a test made for the bug."""
    alone = Counter(mutant.tests[0].partition("::")[0] for mutant in MUTANTS if len(mutant.tests) == 1)
    assert alone["simulation/test_simulation.py"] >= 10
    assert alone["runs/test_killed.py"] >= 5


def test_a_list_that_has_rotted_is_told(project: Path) -> None:
    """A piece that is gone or there twice, no Python, nothing planted, a test that is no more: each is a line."""
    rotten = [
        planted("Gone.", "", source="one - other"),
        planted("Twice.", "", source="other"),
        planted("Broken.", "return one +"),
        planted("Same.", "return one + other"),
        planted("Untested.", "return one", tests=()),
        planted("Renamed.", "return one", tests=("test_sum.py::test_sum", "test_no.py")),
        planted("Renamed.", "return one - other"),
        planted("Endless", "return one"),
    ]
    told = problems(rotten, project)
    assert [line.partition(":")[0] for line in told] == [
        "Renamed.", "Gone.", "Twice.", "Broken.", "Same.", "Untested.", "Renamed.", "Renamed.", "Endless",
    ]  # fmt: skip


def test_found_and_not_found_are_told_apart(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bug is found by a failing test or one that never ends; one that no test sees is told, and ends with 1."""
    found = planted("Difference instead of sum.", "return one - other")
    endless = planted("Loops for ever.", "while True:\n        pass", endless_s=1.5)
    assert main(project, [found, endless], []) == 0
    told = capsys.readouterr().out
    assert "test_sum.py::test_total" in told
    assert "its tests did not end within 1.5 s" in told
    assert "2 of 2 planted bugs were found" in told

    lost = planted("Product instead of sum.", "return one * other")
    broken = planted("Unimportable module.", "return one + other\n\nimport nothing_there")
    unread = replace(broken, id="Unread", tests=("test_sum.py",))
    assert main(project, [lost, broken, unread, found], ["--workers", "1"]) == 1
    told = capsys.readouterr().out
    assert told.count("NOT FOUND") == 1
    assert told.count("NOT TESTED: pytest ended with") == 2
    assert "Not found: Product, Unimportable, Unread" in told
    assert (project / "etl" / "sum.py").read_text(encoding="utf-8") == SUM


def test_nothing_is_learnt_from_tests_that_fail_anyway(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When the tests fail without a bug, none is planted, and the exit code is 2."""
    (project / "tests" / "test_sum.py").write_text(TEST.replace("4", "5"), encoding="utf-8")
    assert main(project, [planted("Difference instead of sum.", "return one - other")], []) == 2
    said = capsys.readouterr()
    assert "The tests do not pass without a bug" in said.err
    assert "planted bugs were found" not in said.out


def choose(*arguments: str) -> Callable[[Path], int]:
    """Return a call of the runner with two bugs and these arguments."""
    bugs = [planted("First bug.", "return one - other"), planted("Second bug.", "return one")]
    return lambda project: main(project, bugs, list(arguments))


def test_bugs_can_be_listed_and_chosen(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--list` plants nothing; `--only` plants what is named; an unknown name is wrong usage."""
    assert choose("--list")(project) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"First   First bug. {'':66} etl/sum.py",
        f"Second  Second bug. {'':65} etl/sum.py",
    ]
    assert choose("--only", "Second")(project) == 0
    assert "1 of 1 planted bugs were found" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        choose("--only", "Third")(project)
    assert "no planted bug is called Third" in capsys.readouterr().err
