"""The reader against the emulated LearnUpon, which was written apart from it: whole, and under faults."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_stage import StillClock

from etl.config import PortalSettings
from etl.emulator.faults import Fault
from etl.emulator.world import Emulators
from etl.learnupon import LearnUpon, PortalRead, check_portal, confirm, read_portal


@pytest.fixture(scope="module")
def world() -> Iterator[Emulators]:
    """Both emulators with 150 learners."""
    with Emulators(learners=150, seed=3) as emulators:
        yield emulators
        assert emulators.learnupon.errors == []


@pytest.fixture
def client(world: Emulators) -> Iterator[LearnUpon]:
    """A client of the first portal, whose waits take no time."""
    given = world.describe()["portals"][0]
    portal = PortalSettings(**given, requests_per_minute=100_000)
    learnupon = LearnUpon(portal, clock=StillClock().clock, random=random.Random(1))  # noqa: S311 - jitter
    yield learnupon
    learnupon.close()
    world.learnupon_faults.clear()


def assert_whole(read: PortalRead, world: Emulators) -> None:
    """Compare the ids read with those the emulator holds of courses and paths that are no drafts."""
    portal: Any = world.store.portals[read.name]
    courses = {row["id"] for row in portal.courses.values() if row["published_status_id"] != "draft"}
    paths = {row["id"] for row in portal.paths.values() if row["published_status_id"] != "draft"}
    assert set(read.users["user_id"]) == set(portal.users)
    assert set(read.courses["course_id"]) == courses
    assert set(read.paths["path_id"]) == paths
    found = {row["id"] for row in portal.enrollments.values() if row["course_id"] in courses}
    assert set(read.enrollments.read()["id"].to_pylist()) == found
    found = {row["id"] for row in portal.path_enrollments.values() if row["lp_id"] in paths}
    assert set(read.path_enrollments.read()["id"].to_pylist()) == found


@pytest.mark.parametrize("page_size", [7, 499])
def test_everything_the_emulator_holds_is_read(
    world: Emulators, client: LearnUpon, tmp_path: Path, page_size: int
) -> None:
    """Whatever the size of a page, every id comes back, and none besides."""
    world.store.knobs.page_size = page_size
    for portal in world.store.portals.values():
        portal.touch()
    assert_whole(read_portal(client, tmp_path), world)


def test_the_pin_holds(client: LearnUpon) -> None:
    """The emulated portal is recognised as the pinned one."""
    assert check_portal(client) == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault("enrollments/search", nth=3, status=503),
        Fault("enrollments/search", nth=2, reset=True),
        Fault("enrollments/search", nth=5, close_after_bytes=300),
        Fault("/users", status=429, headers={"Retry-After": "20"}),
        Fault("/learning_paths", times=3, status=500),
    ],
    ids=["503", "reset", "cut", "429", "500 thrice"],
)
def test_a_passing_fault_leaves_no_trace(world: Emulators, client: LearnUpon, tmp_path: Path, fault: Fault) -> None:
    """A fault that passes is outlived: the read is as whole as without it."""
    world.learnupon_faults.add(fault)
    assert_whole(read_portal(client, tmp_path), world)
    assert world.learnupon_faults.fired


def test_gone_and_alive_are_told_apart(world: Emulators, client: LearnUpon) -> None:
    """By both ways in which LearnUpon says that something is gone."""
    portal: Any = world.store.portals[client.name]
    some = sorted(portal.enrollments)[:4]
    answer = confirm(client, "enrollments", [*some, 99_999_998, 99_999_999])
    assert answer.gone == {99_999_998, 99_999_999}
    assert sorted(answer.alive["id"].to_pylist()) == some
    assert confirm(client, "users", [99_999_998, 99_999_999]).alive.num_rows == 0
