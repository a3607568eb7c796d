"""Invented course and path enrollments with believable dates, statuses and scores; it decides no total."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from etl.emulator.seed.courses import stamp
from etl.emulator.seed.shape import Course, Enrollment, Learner, Path, PathEnrollment

if TYPE_CHECKING:
    import random

FINISHED = ("completed", "passed", "failed")
DAYS = 900


def enrollments(
    dice: random.Random, learners: list[Learner], known: list[Course], count: int, now: datetime, first_id: int
) -> list[Enrollment]:
    """Exactly `count` enrollments: some learners have none, some many; popular courses, retakes, old versions."""
    usable = [one for one in known if one.published_status_id != "draft"]
    if not learners or not usable or not count:
        return []
    weights = [0.0 if dice.random() < 0.05 else dice.expovariate(1.0) + 0.05 for _ in learners]
    weights[0] = 1.0
    takers = dice.choices(learners, cum_weights=list(accumulate(weights)), k=count)
    popular = list(accumulate(1 / (place + 4) for place in range(len(usable))))
    taken = dice.choices(usable, cum_weights=popular, k=count)
    seen: set[tuple[int, int]] = set()
    made = []
    for place, (learner, first_choice) in enumerate(zip(takers, taken, strict=True)):
        course = first_choice
        if (learner.id, course.id) in seen and dice.random() < 0.9:  # else it stays a retake
            course = dice.choice(usable)
        seen.add((learner.id, course.id))
        made.append(Enrollment(first_id + place, learner.id, course.id, fields(dice, course, now)))
    _once_each(dice, made, {one.id: one for one in usable}, now)
    return made


def _once_each(dice: random.Random, made: list[Enrollment], known: dict[int, Course], now: datetime) -> None:
    """See to it that every status and a listed unenrolled row of each fate occur, however small the world."""
    wanted = [("not_started", False), ("in_progress", True), ("pending_review", False), ("in_progress", False)]
    wanted += [("completed", True), ("passed", True), ("failed", False), ("completed", False), ("passed", False)]
    free = [one for one in made if not known[one.course_id].deleted]
    for one, (status, unenrolled) in zip(free[:: max(1, len(free) // len(wanted))], wanted, strict=False):
        enrolled = now - timedelta(days=dice.randint(10, DAYS))
        one.fields = _of_status(dice, status, enrolled, now) | {"unenrolled": unenrolled}


def fields(dice: random.Random, course: Course, now: datetime) -> dict[str, Any]:
    """Status, score and dates of one enrollment; more of them are recent, older ones are more often finished."""
    age = DAYS * dice.random() ** 1.6
    enrolled = now - timedelta(days=age, seconds=dice.randint(0, 3600))
    status = _status(dice, course, age)
    made = _of_status(dice, status, enrolled, now)
    lot = dice.random()
    made["unenrolled"] = lot < (0.03 if status in FINISHED else 0.004)
    if status in FINISHED and 0.90 < lot < 0.94:
        made |= by_hand(dice, enrolled)
    return made


def _status(dice: random.Random, course: Course, age: float) -> str:
    lot = dice.random()
    waiting = 0.35 if age < 30 else 0.12
    if lot < waiting:
        return "not_started"
    if lot < waiting + 0.14:
        return "in_progress"
    if not course.scored:
        return "completed"
    if lot < waiting + 0.16:
        return "pending_review"
    return "passed" if dice.random() < 0.85 else "failed"


def score(dice: random.Random, status: str) -> int | None:
    """A score out of 100: passed ones pile up high with a lump at 100; completed has none (measured)."""
    if status == "passed":
        return 100 if dice.random() < 0.14 else round(dice.triangular(70, 100, 88))
    if status == "failed":
        return 0 if dice.random() < 0.05 else min(69, round(dice.triangular(10, 70, 58)))
    return None


def _of_status(dice: random.Random, status: str, enrolled: datetime, now: datetime) -> dict[str, Any]:
    made: dict[str, Any] = {"status": status, "percentage": score(dice, status), "date_enrolled": stamp(enrolled)}
    made["updated_at"] = made["date_enrolled"]
    if status == "not_started":
        return made
    started = enrolled + (now - enrolled) * dice.random() * 0.5
    last = started + (now - started) * dice.random() ** 3
    progress = 100 if status in FINISHED else dice.choice((None, 10, 25, 33, 50, 67, 80, 99))
    made |= {"date_started": stamp(started), "date_lastaccessed": stamp(last), "updated_at": stamp(last)}
    return made | {"date_completed": stamp(last) if status in FINISHED else None, "percentage_complete": progress}


def by_hand(dice: random.Random, enrolled: datetime) -> dict[str, Any]:
    """Finished in bulk by an admin: an exact hour, no progress, possibly before the enrollment (measured)."""
    hour = (enrolled - timedelta(days=dice.randint(-20, 20))).replace(minute=0, second=0)
    return {"date_started": stamp(hour), "date_completed": stamp(hour), "percentage_complete": None}


def path_enrollments(
    dice: random.Random, rows: tuple[list[Learner], list[Path], list[Enrollment]], now: datetime, first_id: int
) -> list[PathEnrollment]:
    """About four in ten learners are on a path; its status follows from the courses they have finished."""
    learners, known, taken = rows
    done: dict[int, set[int]] = {}
    for one in taken:
        if one.fields["status"] in ("completed", "passed"):
            done.setdefault(one.user_id, set()).add(one.course_id)
    open_paths = [one for one in known if one.published_status_id != "draft"]
    made: list[PathEnrollment] = []
    for learner in learners if open_paths else []:
        for path in dice.sample(open_paths, min(len(open_paths), dice.choices((0, 1, 2), (60, 30, 10))[0])):
            values = _path_fields(dice, path, done.get(learner.id, set()), now)
            made.append(PathEnrollment(first_id + len(made), learner.id, path.id, values))
    return made


def _path_fields(dice: random.Random, path: Path, done: set[int], now: datetime) -> dict[str, Any]:
    enrolled = now - timedelta(days=dice.randint(1, DAYS), seconds=dice.randint(0, 86_399))
    finished = sum(course in done for course in path.courses)
    status = (
        "completed" if path.courses and finished == len(path.courses) else "in_progress" if finished else "not_started"
    )
    made = _of_status(dice, status, enrolled, now)
    del made["updated_at"]
    made.pop("percentage_complete", None)
    return made | {"unenrolled": False}
