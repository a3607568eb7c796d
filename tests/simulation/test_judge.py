"""The judge itself: what was tampered with makes it raise, what was not passes; the program is not tested here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from runs.afterwards import ingest_jobs
from runs.result import Result
from runs.stage import CONTACT_ROWS
from simulation.judge import Before, Judge, Trouble
from simulation.mishaps import Mishap
from simulation.night import Night
from simulation.ours import REMOVED

from etl.emulator.salesforce.refusal import Refusal

_REFUSES = "FIELD_CUSTOM_VALIDATION_EXCEPTION:no"


@dataclass
class _Scene:
    """A night with a row to delete (`gone`), a finished one to keep (`kept`), and one as it was (`live`)."""

    stage: Night
    gone: str
    kept: str
    live: str

    def row(self, key: str) -> dict[str, Any]:
        return self.stage.row(CONTACT_ROWS, key)

    def delete(self, key: str) -> None:
        """Note in the ledger what a job of the last run would have done that deletes a row, and delete it."""
        row = self.row(key)
        self.stage.org.delete(CONTACT_ROWS, row["Id"], record=False)
        self._note("delete", key, row, before=dict(row))

    def write(self, operation: str, key: str, **values: Any) -> None:
        """Note an effect of a job of the last run on a row, and let it have it."""
        row = self.row(key)
        self.stage.org.update(CONTACT_ROWS, row["Id"], values, record=False)
        self._note(operation, key, row, before={name: row[name] for name in values}, after=values)

    def _note(self, operation: str, key: str, row: dict[str, Any], **values: Any) -> None:
        job = ingest_jobs(self.stage)[-1].id
        what = {"source": "bulk", "object": CONTACT_ROWS, "operation": operation, "id": row["Id"], "key": key}
        self.stage.ledger.add(job_id=job, **what, **values)


def _scene(stage: Night) -> _Scene:
    stage.configure(guards={"max_deletes": 500})
    learner, course = stage.learner(), stage.course()
    ids = [stage.enroll(learner, course, status=status) for status in ("in_progress", "completed", "in_progress")]
    assert stage.go("run") is not None
    for number in ids[:2]:
        stage.academy.remove_enrollment(number)
    stage.ledger.clear()
    return _Scene(stage, *(f"{stage.academy.portal_id}:enrollment:{number}" for number in ids))


def _wrongly_deleted(scene: _Scene, result: Result) -> Result:
    scene.delete(scene.live)
    return result


def _kept_row_deleted(scene: _Scene, result: Result) -> Result:
    scene.delete(scene.kept)
    return result


def _lost(scene: _Scene, result: Result) -> Result:
    scene.stage.org.delete(CONTACT_ROWS, scene.row(scene.live)["Id"], record=False)
    return result


def _made_twice(scene: _Scene, result: Result) -> Result:
    for _ in range(2):
        scene.write("create", scene.live, Status__c="In Progress")
    return result


def _wrongly_flagged(scene: _Scene, result: Result) -> Result:
    scene.write("update", scene.live, **{REMOVED: True})
    return result


def _guard_for_nothing(scene: _Scene, result: Result) -> Result:
    return replace(result, code=3, ledger=())


def _writes_denied(scene: _Scene, result: Result) -> Result:
    return replace(result, code=65)


def _secret_told(scene: _Scene, result: Result) -> Result:
    return replace(result, err=result.err + str(scene.stage.academy.password))


def _failed_for_nothing(scene: _Scene, result: Result) -> Result:
    return replace(result, code=69)


def _refused_for_nothing(scene: _Scene, result: Result) -> Result:
    assert result.folder is not None
    lines = f"object,key,operation,code,message\n{CONTACT_ROWS},{scene.live},update,NO,no\n"
    (result.folder / "refused.csv").write_text(lines, encoding="utf-8")
    return replace(result, code=1)


def _unasked(scene: _Scene, result: Result) -> Result:
    scene.stage.witness.forget()
    return result


_Tamper = Callable[[_Scene, Result], Result]
_HTML = Trouble(frozenset({Mishap("users", "html")}))
_TAMPERS: list[tuple[_Tamper, Trouble, str]] = [
    (_wrongly_deleted, Trouble(), "I-NOWRONGDEL.*deleted"),
    (_wrongly_deleted, Trouble(touched=True), "I-NOWRONGDEL.*deleted"),
    (_kept_row_deleted, Trouble(touched=True), "I-NOWRONGDEL.*deleted"),
    (_wrongly_flagged, Trouble(touched=True), "I-NOWRONGDEL.*flagged"),
    (_lost, Trouble(), "exit 0 demanded.*missing"),
    (_made_twice, Trouble(touched=True), "I-NODUP"),
    (_unasked, Trouble(), "I-CONFIRM"),
    (_guard_for_nothing, Trouble(), "I-HONEST.*guard"),
    (_writes_denied, _HTML, "I-GUARD-ATOMIC"),
    (_failed_for_nothing, Trouble(), "nothing went wrong, yet exit 69"),
    (_failed_for_nothing, Trouble(frozenset({Mishap("create", "refusal")})), "I-HONEST.*alone"),
    (_refused_for_nothing, Trouble(frozenset({Mishap("create", "refusal")})), "I-HONEST.*as it should be"),
    (_secret_told, Trouble(), "I-SECRET"),
]


@pytest.mark.parametrize(("tamper", "trouble", "wrong"), _TAMPERS, ids=lambda one: getattr(one, "__name__", ""))
def test_what_is_tampered_with_is_found(tamper: _Tamper, trouble: Trouble, wrong: str, tmp_path: Path) -> None:
    """A run passes as it was, and is named for what is wrong once its effects, its code or its words are altered."""
    with Night(tmp_path, 1) as stage:
        scene = _scene(stage)
        before = Before(stage)
        result = stage.go("run")
        assert result is not None
        Judge(stage).one_run(before, result, Trouble())
        altered = tamper(scene, result)
        with pytest.raises(AssertionError, match=wrong):
            Judge(stage).one_run(before, altered, trouble)


def test_a_failed_write_is_no_success(tmp_path: Path) -> None:
    """A run that could not write a row may not end with 0."""
    with Night(tmp_path, 1) as stage:
        scene = _scene(stage)
        stage.academy.change_enrollment(int(scene.live.rpartition(":")[2]), percentage=40)
        stage.org.refuse.append(Refusal(CONTACT_ROWS, {}, _REFUSES, None, ("update",)))
        before = Before(stage)
        result = stage.go("run")
        assert result is not None
        trouble = Trouble(frozenset({Mishap("create", "refusal")}))
        Judge(stage).one_run(before, result, trouble)
        with pytest.raises(AssertionError, match="exit 0 demanded"):
            Judge(stage).one_run(before, replace(result, code=0), trouble)


@pytest.mark.parametrize("touched", [False, True])
def test_what_is_left_at_the_end_is_found(touched: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """A job that is open, a row that was deleted twice and a file with a secret are found when a story ends."""
    with Night(tmp_path, 1) as stage:
        scene = _scene(stage)
        assert stage.go("run") is not None
        judge = Judge(stage)
        judge.at_the_end(touched=touched)
        job = ingest_jobs(stage)[-1]
        state, job.state = job.state, "Open"
        with pytest.raises(AssertionError, match="Open"):
            judge.at_the_end(touched=touched)
        job.state = state
        leak = stage.state_dir / "leak"
        leak.write_text(str(stage.academy.password))
        with pytest.raises(AssertionError, match="I-SECRET"):
            judge.at_the_end(touched=touched)
        leak.unlink()
        (entry,) = [one for one in stage.ledger.entries if one.operation == "delete" and one.key == scene.gone]
        again = {name: value for name, value in entry.as_json().items() if name not in {"seq", "at"}}
        stage.ledger.add(**again)
        with pytest.raises(AssertionError):
            judge.at_the_end(touched=touched)
