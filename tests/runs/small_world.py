"""A small world for whole runs, quick time, and what must hold when a run stopped before its first write."""

from __future__ import annotations

from dataclasses import dataclass

import requests
from runs.result import Result
from runs.stage import Stage
from salesforce_kit import QuickClock

from etl.clock import Clock

PAGE_ROWS = 2


@dataclass(frozen=True)
class SmallWorld:
    """Two courses of the first portal, and three Contacts who learn there: three in the first course, one in both."""

    first_course: int
    second_course: int
    learners: tuple[int, ...]


def quick() -> Clock:
    """Return a clock on which waiting is over at once."""
    return QuickClock().clock()


def furnish(stage: Stage) -> SmallWorld:
    """Invent the small world; listings have two rows a page, so that the first course has two pages."""
    stage.store.knobs.page_size = PAGE_ROWS
    first, second = stage.course(name="Ladders"), stage.course(name="Ropes")
    learners = tuple(stage.learner(first_name=f"Zora{n}", email=f"zora.{n}@example.com") for n in range(3))
    for learner in learners:
        stage.enroll(learner, first, status="completed")
    stage.enroll(learners[0], second)
    return SmallWorld(first, second, learners)


def page_of(stage: Stage, path: str, **parameters: int) -> bytes:
    """Return what the first portal answers now, as bytes."""
    portal = stage.settings["portals"][0]
    given = {name: str(value) for name, value in parameters.items()}
    key = (portal["username"], portal["password"])
    return requests.get(f"{portal['url']}/api/v1/{path}", params=given, auth=key, timeout=10).content


def stopped(result: Result, code: int, *words: str) -> None:
    """See that a run ended with `code` without touching Salesforce, left a report, and told what, and what next."""
    told = result.out + result.err
    assert result.code == code, told
    assert (result.effects, result.ingest_jobs, result.writing_calls) == ([], [], [])
    assert result.report["exit_code"] == code
    assert result.report["outcome"] not in {"ok", "bug"}
    assert " ".join(result.report["error"]["message"].split()) in " ".join(result.out.split())
    assert result.folder is not None
    assert (result.folder / "report.html").is_file()
    assert "Nothing was written to Salesforce." in result.out
    assert "error: " in result.err
    for word in words:
        assert word in told, (word, told)
