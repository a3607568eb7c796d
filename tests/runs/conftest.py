"""Fixtures for whole runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from runs.laboratory import Laboratory
from runs.school import School, opened
from runs.stage import Stage


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker that names the sentence of the design a test proves."""
    config.addinivalue_line("markers", "rule(*ids): the sentences of the design that this test proves (runs/rules.py)")


@pytest.fixture(autouse=True)
def _loud_with_faults(request: pytest.FixtureRequest) -> Iterator[None]:
    """Log as much as can be logged wherever a fault is shown, so that what is told of it is looked through."""
    Stage.loud = any(request.node.get_closest_marker(name) for name in ("fault", "long"))
    yield
    Stage.loud = False


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Give two empty portals and an org without people, served."""
    with Stage(tmp_path) as made:
        yield made


@pytest.fixture
def in_full(stage: Stage) -> None:
    """Let every run of the stage read all rows of Salesforce, for tests of what can happen to such a read."""
    stage.configure(salesforce={"full_read_days": 0})


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """Give a process that plays trials in copies of the scenarios' worlds."""
    made = Laboratory(tmp_path_factory.mktemp("laboratory"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def _opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    with opened(tmp_path_factory.mktemp("school")) as made:
        yield made


@pytest.fixture
def school(_opened: School) -> Iterator[School]:
    """Give a school that is in Salesforce already, the same for a module: its tests leave it as it is."""
    yield _opened
    _opened.faults.clear()
