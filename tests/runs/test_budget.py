"""Calls and disk are predicted from counts: close to what is used, and a run stops before either would run out."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from runs.result import Result
from runs.school import some_long
from runs.stage import CONTACT_ROWS, Stage

from etl.clock import Clock
from etl.emulator.learnupon.portal import Portal

PAGE = 500
BY_ID = re.compile(r"/(users|enrollments|learning_path_enrollments)/\d+")
ALLOWED = ("--allow-updates", "9000", "--allow-deletes", "9000")
SHAPES: list[dict[str, Any]] = [
    {"learners": 0},
    {"learners": 36, "seed": 4, "enrollments_per_learner": 4},
    {"learners": 1200, "seed": 3, "enrollments_per_learner": 2, "portals": 1, "paths": 0},
    {"learners": 40, "seed": 9, "namespace": "LearnUponP"},
    {"learners": 300, "seed": 5, "enrollments_per_learner": 20, "portals": 1, "courses": 12},
    {"learners": 60, "seed": 6, "portals": 4, "enrollments_per_learner": 8},
    {"learners": 60, "seed": 2, "enrollments_per_learner": 3, "courses": 300, "paths": 40},
    {"learners": 4500, "seed": 7, "enrollments_per_learner": 3, "courses": 30},
    {"learners": 30, "seed": 8, "enrollments_per_learner": 150, "portals": 3, "paths": 2},
]
QUICK = {"1", "3"}


class Skipping:
    """A clock whose waits cost nothing: so jobs can be polled as seldom as they are in earnest."""

    def __init__(self) -> None:
        """Start with the real time."""
        self.ahead = 0.0

    def clock(self) -> Clock:
        """Return the clock."""
        return Clock(monotonic=lambda: time.monotonic() + self.ahead, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.ahead += seconds


def run(stage: Stage, *arguments: str, **surroundings: Any) -> Result:
    """Run with the waits of the default configuration, which cost nothing."""
    stage.configure(salesforce={"poll_seconds": 5.0})
    return stage.run(*arguments, **{"clock": Skipping().clock(), **surroundings})


def pages(portal: Portal) -> int:
    """Return how many pages a portal's listings have, an empty one counting as one."""
    shown = {"published", "under_revision"}
    courses = [id_ for id_, row in portal.courses.items() if row["published_status_id"] != "draft"]
    paths = [id_ for id_, row in portal.paths.items() if row["published_status_id"] in shown]
    by_course = Counter(row["course_id"] for row in portal.enrollments.values())
    by_path = Counter(row["lp_id"] for row in portal.path_enrollments.values())
    rows = [len(portal.users), len(courses), len(paths)]
    rows += [by_course[course] for course in courses] + [by_path[path] for path in paths]
    return sum(max(1, -(-number // PAGE)) for number in rows)


def in_band(used: int, expected: int, more: int = 0) -> bool:
    """Say whether calls are within a tenth, or five, of what was expected; `more` could not be."""
    room = max(5, expected // 10)
    return expected - room <= used <= expected + room + more


@pytest.mark.parametrize("shape", some_long([str(place) for place in range(len(SHAPES))], QUICK))
def test_the_prediction_is_close(tmp_path: Path, shape: str) -> None:
    """Both sides' calls are within a tenth, or five, of the prediction; LearnUpon's are one a page, and the pin.

    What nobody can foresee comes on top: questions by id, and on a first load how many learners there are.
    """
    with Stage(tmp_path, **SHAPES[int(shape)]) as stage:
        for night in (0, 1):
            if night:
                stage.emu.night(1)
            listed = sum(pages(portal) for portal in stage.store.portals.values())
            result = run(stage, "run", *ALLOWED)
            assert result.code == 0, result.err
            report = result.report
            used, expected = report["api_calls"], report["api_calls_expected"]
            questions = sum(1 for call in result.learnupon_calls if BY_ID.search(call.target))
            unforeseen = questions if night else len(result.asked("/users?"))
            assert used == {"learnupon": len(result.learnupon_calls), "salesforce": len(result.salesforce_calls)}
            assert used["learnupon"] == listed + len(stage.store.portals) + questions
            assert in_band(used["learnupon"], expected["learnupon"], unforeseen), (used, expected)
            assert in_band(used["salesforce"], expected["salesforce"]), (used, expected)
            assert report["api_calls_left"]["salesforce"] == stage.org.limits["DailyApiRequests"]["Remaining"]


@pytest.fixture
def enrolled(stage: Stage) -> Stage:
    """Give a stage with forty learners in one course of the first portal."""
    course = stage.course()
    for _ in range(40):
        stage.enroll(stage.learner(), course)
    return stage


def test_a_plan_tells_what_writing_it_would_take(enrolled: Stage) -> None:
    """What `plan` says that writing takes is what `run` then takes more, as text, JSON and Markdown show."""
    planned = run(enrolled, "plan")
    said = planned.report["api_calls_to_write"]
    assert f"Writing this plan takes about {said} more of Salesforce" in planned.out
    assert re.search(r"API calls: LearnUpon \d+ of about \d+ expected, 499,\d+ left this week; Sales", planned.out)
    assert f"about {said} more of Salesforce" in (planned.folder / "report.html").read_text()  # type: ignore[operator]
    assert f"about {said} more of Salesforce" in run(enrolled, "plan", "--markdown").out
    written = run(enrolled, "run")
    # beside the writes: describe, lease, log and list of jobs
    more = written.report["api_calls"]["salesforce"] - planned.report["api_calls"]["salesforce"]
    assert in_band(more, said + 6), (more, said)
    assert written.report["api_calls_to_write"] is None


def spare(result: Result) -> int:
    """Return how many calls more a stopped run says that it needs."""
    most, left = re.findall(r"up to ([\d,]+) .*?(\d[\d,]*) are left", result.err.replace("\n", " "))[-1]
    kept = 10 if "are kept" in result.err else 0
    return int(most.replace(",", "")) - int(left.replace(",", "")) + kept


@pytest.mark.parametrize(
    ("at", "what"), [("GET .*/limits", "to read Salesforce"), ("GET .*/queryAll", "to write the plan")]
)
def test_the_day_is_never_spent_half_way(enrolled: Stage, at: str, what: str) -> None:
    """With as few requests left as each check asks for, a run stops before it reads or writes, or it ends well."""
    daily = enrolled.org.limits["DailyApiRequests"]
    left = [12]
    while len(left) < 5:
        daily["Remaining"] = 10**6
        enrolled.before(at, lambda: daily.update(Remaining=left[-1]))
        result = run(enrolled, "run")
        if result.code == 0:
            break
        assert (result.code, result.effects, result.ingest_jobs) == (75, [], []), result.err
        assert "DailyApiRequests: about " in result.err
        assert f"{what} are expected" in result.err
        assert "nothing was written" in result.err
        left.append(left[-1] + spare(result))
    assert (result.code, len(left) > 1) == (0, True)
    assert len(enrolled.rows(CONTACT_ROWS)) == 40


def test_the_week_is_never_spent_half_way(enrolled: Stage) -> None:
    """With too little left of LearnUpon's week for a portal, no user or enrollment of it is asked for."""
    knobs, weeks = enrolled.store.knobs, 12
    while weeks < 40:
        knobs.requests_per_week = weeks
        stopped = run(enrolled, "run")
        if stopped.code == 0:
            break
        assert (stopped.code, stopped.effects, stopped.ingest_jobs) == (75, [], []), stopped.err
        said = re.search(r"portal (\w+): reading it takes about \d+ more calls, up to \d+ .* \d+ are left", stopped.err)
        assert said
        assert not stopped.asked(f"/{said[1]}/api/v1/users")
        assert not stopped.asked(f"/{said[1]}/api/v1/enrollments")
        weeks += spare(stopped) + 3  # what a portal is asked until then
    assert (stopped.code, weeks > 12) == (0, True)


def test_questions_are_reserved(enrolled: Stage) -> None:
    """A week that would not last for questions about every row that Salesforce holds is not begun."""
    run(enrolled, "run")
    enrolled.store.knobs.requests_per_week = 70
    stopped = run(enrolled, "run")
    assert (stopped.code, stopped.asked("/users")) == (75, [])
    assert "with questions about missing rows" in stopped.err
    enrolled.configure(guards={"max_confirmations": 5})
    assert run(enrolled, "run").code == 0


@pytest.mark.parametrize("rows", [0, 40])
def test_a_disk_without_room_is_seen_before_the_reads(enrolled: Stage, rows: int) -> None:
    """Too little free for what is held, or for what is listed, is 74 with the numbers before anything large is read."""
    if rows:
        run(enrolled, "run")
    else:
        enrolled.academy.courses[next(iter(enrolled.academy.courses))]["num_enrolled"] = 2_000_000
    result = run(enrolled, "run", free_space=lambda _: 3_000_000 if not rows else 1_000)
    assert (result.code, result.effects, result.ingest_jobs) == (74, [], []), result.err
    needed = "1 MB" if rows else "1,199 MB"
    assert f"{enrolled.state_dir}: about {needed} of disk are needed" in result.err
    assert f"{0 if rows else 3} MB are free there; nothing was written; free disk space" in result.err
    assert not result.asked("/academy/api/v1/users")
    assert not result.asked("/academy/api/v1/enrollments")


def test_a_disk_that_others_fill_is_seen_before_the_writes(enrolled: Stage) -> None:
    """The disk is looked at again before the first write; what the run had there is gone in the end."""
    free = iter([10**9, 1_000])
    result = run(enrolled, "run", free_space=lambda _: next(free))
    assert (result.code, result.effects, result.ingest_jobs) == (74, [], []), result.err
    assert "to write the plan, and 0 MB are free there; nothing was written" in result.err
    assert result.folder is not None
    assert not any((result.folder / name).exists() for name in ("work", "plan"))
    assert run(enrolled, "run", free_space=lambda _: 10**9).code == 0
