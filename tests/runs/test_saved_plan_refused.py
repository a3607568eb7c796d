"""A saved plan is refused, and nothing written, when it is old, spoiled, of another org, applied, or out of date."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from runs.saved_plans import APPLY, changes_of_every_kind, edit, manifest, plan_into, refused
from runs.stage import CONTACT_ROWS, MEMBERSHIP, Stage

from etl.clock import Clock
from etl.emulator.faults import Fault

ROOT = Path(__file__).parents[2]


def _later(hours: float) -> Clock:
    return Clock(now=lambda: datetime.now(UTC) + timedelta(hours=hours))


def test_an_old_plan_is_refused(stage: Stage) -> None:
    """A plan older than --max-age (24 hours unless given) is refused before anybody is asked; a higher age lets it."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    result = stage.run(APPLY, str(folder), clock=_later(24.1))
    assert (result.code, result.effects, result.salesforce_calls) == (3, [], ())
    assert "--max-age" in result.err
    assert stage.run(APPLY, str(folder), "--max-age", "60m", clock=_later(1.1)).code == 3
    assert stage.run(APPLY, str(folder), "--max-age", "2d", clock=_later(24.1)).code == 0


def test_a_plan_from_the_future_is_refused(stage: Stage) -> None:
    """With a clock that is hours behind, the age of a plan is not known, so it is refused; minutes do not matter."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    result = stage.run(APPLY, str(folder), clock=_later(-3))
    assert (result.code, result.effects) == (3, [])
    assert "clock" in result.err
    assert stage.run(APPLY, str(folder), clock=_later(-0.05)).code == 0


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


SPOILS: dict[str, Callable[[Path], object]] = {
    "a bit of a file": lambda folder: _flip(next((folder / "rows").rglob("creates/*.arrow"))),
    "a bit of the rows as they were": lambda folder: _flip(next((folder / "rows").rglob("before/*.arrow"))),
    "a file removed": lambda folder: next((folder / "rows").rglob("deletes/*.arrow")).unlink(),
    "a file added": lambda folder: (folder / "rows" / "Contact" / "updates" / "000009.arrow").write_bytes(b""),
    "a file emptied": lambda folder: next((folder / "rows").rglob("updates/*.arrow")).write_bytes(b""),
    "the manifest cut": lambda folder: os.truncate(folder / "plan.json", 200),
    "the manifest emptied": lambda folder: os.truncate(folder / "plan.json", 0),
    "the manifest a list": lambda folder: (folder / "plan.json").write_text("[]", encoding="utf-8"),
    "a word changed": lambda folder: edit(folder, lambda held: held["warnings"].append("all is well")),
    "the age forged": lambda folder: edit(folder, lambda held: held.update(created_at="2099-01-01"), forge=True),
    "the counts changed": lambda folder: edit(folder, lambda held: held["objects"][CONTACT_ROWS].update(counts={})),
    "counts forged": lambda folder: edit(
        folder, lambda held: held["objects"][CONTACT_ROWS]["counts"].update(delete=0), forge=True
    ),
    "an object forged": lambda folder: edit(
        folder, lambda held: held["objects"].update(Account=held["objects"]["Contact"]), forge=True
    ),
    "another form": lambda folder: edit(folder, lambda held: held.update(format=99), forge=True),
}


def test_a_plan_that_is_not_as_it_was_saved_is_refused(stage: Stage) -> None:
    """Whatever part of a saved plan is damaged, added, removed or edited: 3, and Salesforce is not even asked."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    for number, (what, spoil) in enumerate(SPOILS.items()):
        spoilt = Path(shutil.copytree(folder, stage.folder / f"spoilt-{number}"))
        spoil(spoilt)
        assert refused(stage, spoilt).salesforce_calls == (), what
    assert stage.run(APPLY, str(folder)).code == 0


def test_a_plan_of_another_org_is_refused(stage: Stage) -> None:
    """A plan made for one org is not applied where another one is pinned: 78, and that org is not even asked."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    stage.configure(salesforce={"org_id": "00D5g00000OTHER"})
    result = refused(stage, folder, code=78)
    assert result.salesforce_calls == ()
    assert manifest(folder)["org_id"] in result.err


def test_a_plan_for_other_objects_is_refused(stage: Stage) -> None:
    """A plan for our objects is not applied to those of LearnUpon's package: 78."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    stage.configure(salesforce={"namespace": "LearnUponP"})
    assert refused(stage, folder, code=78).salesforce_calls == ()


def test_a_plan_is_applied_once(stage: Stage) -> None:
    """A second apply of a plan is refused, by the mark in its folder and, were it removed or a copy, by the history."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    copy = Path(shutil.copytree(folder, stage.folder / "copy"))
    first = stage.run(APPLY, str(folder))
    assert first.code == 0
    assert first.folder is not None
    assert first.folder.name in refused(stage, folder).err
    (folder / "applied.json").unlink()
    assert first.folder.name in refused(stage, folder).err
    assert first.folder.name in refused(stage, copy).err


def test_a_copy_is_refused_even_without_history(stage: Stage) -> None:
    """With mark and state folder gone, the rows themselves show that the plan was applied."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    copy = Path(shutil.copytree(folder, stage.folder / "copy"))
    assert stage.run(APPLY, str(folder)).code == 0
    shutil.rmtree(stage.state_dir)
    assert "make a new plan" in refused(stage, copy).err


def test_an_apply_that_broke_is_not_repeated(stage: Stage) -> None:
    """An apply that was stopped after its mark has used the plan up; a run brings in what is missing."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    stage.emu.salesforce_faults.add(Fault(match="POST .*/jobs/ingest", status=503, times=None))
    assert stage.run(APPLY, str(folder)).code == 69
    stage.emu.salesforce_faults.clear()
    assert "applied already" in refused(stage, folder).err
    stage.synced()
    stage.settled()


def test_an_apply_that_was_killed_is_not_repeated(stage: Stage) -> None:
    """Killed at the close of its first job, an apply has used the plan up; one run ends where it would have ended."""
    ids = changes_of_every_kind(stage)
    folder = plan_into(stage)
    running: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        running[0].kill()

    stage.before(r"PATCH .*/jobs/ingest", kill)
    command = [sys.executable, "-m", "etl", "--config", str(stage.config()), APPLY, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        running.append(process)
    assert process.returncode == -signal.SIGKILL
    assert "applied already" in refused(stage, folder).err
    stage.synced()
    assert _row(stage, ids["changed"])["Status__c"] == "Passed"
    assert f"12345:enrollment:{ids['dropped']}" not in stage.rows(CONTACT_ROWS)
    stage.settled()


def test_whatever_stands_where_the_mark_belongs_counts_as_one(stage: Stage) -> None:
    """A mark that was torn by a kill, or is no file at all, still means that the plan was applied."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    mark = folder / "applied.json"
    mark.touch()
    assert refused(stage, folder).salesforce_calls == ()
    mark.unlink()
    mark.symlink_to("nowhere")
    assert refused(stage, folder).salesforce_calls == ()


OBJECT_EDITS: dict[str, Callable[[Stage, dict[str, int]], object]] = {
    "a row to update was edited": lambda stage, ids: _edit(stage, ids["changed"], {"Score__c": 12}),
    "a row to delete was edited": lambda stage, ids: _edit(stage, ids["dropped"], {"Course_Name__c": "Mine"}),
    "a row to update was deleted": lambda stage, ids: stage.org.delete(CONTACT_ROWS, _id(stage, ids["changed"])),
    "a row to delete was deleted": lambda stage, ids: stage.org.delete(CONTACT_ROWS, _id(stage, ids["dropped"])),
    "a row to create was created": lambda stage, ids: stage.org.insert(
        CONTACT_ROWS,
        {
            "LU_Key__c": f"12345:enrollment:{ids['fresh']}",
            "LearnUpon_Portal_Membership__c": next(iter(stage.rows(MEMBERSHIP).values()))["Id"],
        },
    ),
    "a profile was edited": lambda stage, ids: stage.org.update(
        "Contact", str(_row(stage, ids["changed"])["SFContact__c"]), {"LU_Number_Passed__c": 5}
    ),
    "a row got another key": lambda stage, ids: _edit(stage, ids["changed"], {"LU_Key__c": "12345:enrollment:999"}),
}


def _row(stage: Stage, enrollment: int) -> dict[str, object]:
    return stage.row(CONTACT_ROWS, f"12345:enrollment:{enrollment}")


def _id(stage: Stage, enrollment: int) -> str:
    return str(_row(stage, enrollment)["Id"])


def _edit(stage: Stage, enrollment: int, fields: dict[str, object]) -> None:
    stage.org.update(CONTACT_ROWS, _id(stage, enrollment), fields)


@pytest.mark.parametrize("happens", OBJECT_EDITS.values(), ids=OBJECT_EDITS.keys())
def test_rows_changed_since_stop_the_apply(stage: Stage, happens: Callable[[Stage, dict[str, int]], object]) -> None:
    """A row that is not as the plan found it stops all of it with 3, naming how many and the first keys."""
    ids = changes_of_every_kind(stage)
    folder = plan_into(stage)
    happens(stage, ids)
    result = refused(stage, folder)
    assert "1 rows are not in Salesforce as the plan found them" in result.err
    assert not (folder / "applied.json").exists()


def test_what_is_not_ours_may_change(stage: Stage) -> None:
    """Fields that the plan did not compare, and rows that it does not touch, may change meanwhile."""
    ids = changes_of_every_kind(stage)
    folder = plan_into(stage)
    person = str(_row(stage, ids["changed"])["SFContact__c"])
    stage.org.update("Contact", person, {"LastName": "Newname"})
    _edit(stage, ids["idle"], {"Score__c": 1})
    assert stage.run(APPLY, str(folder)).code == 0
    assert stage.person(person)["LastName"] == "Newname"
    assert _row(stage, ids["idle"])["Score__c"] == 1


def test_the_guards_are_read_again(stage: Stage) -> None:
    """A plan whose guards trip is saved, refused by apply, and applied with an override for as many rows as it has."""
    changes_of_every_kind(stage)
    stage.configure(guards={"max_deletes": 0})
    folder = plan_into(stage)
    result = refused(stage, folder)
    assert "--allow-deletes 1" in result.err
    assert not (folder / "applied.json").exists()
    refused(stage, folder, "--allow-deletes", "0")
    done = stage.run(APPLY, str(folder), "--allow-deletes", "1")
    assert done.code == 0
    assert done.report["overrides"] == {"allow_deletes": 1}


def test_a_guard_that_was_set_tighter_since_stops_the_plan(stage: Stage) -> None:
    """The limits of the apply count, not those of the plan."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    stage.configure(guards={"min_rows": 1, "max_update_percent": 1})
    assert "max_update_percent" in refused(stage, folder).err


def test_a_source_that_shrank_stops_the_apply_too(stage: Stage) -> None:
    """The guard on the source is kept with the plan: a plan of a listing that lost too much is not applied."""
    course = stage.course()
    rows = [stage.enroll(stage.learner(), course) for _ in range(4)]
    stage.synced()
    stage.configure(guards={"min_rows": 2})
    for row in rows[:2]:
        stage.academy.remove_enrollment(row)
    stage.enroll(stage.learner(), course)
    folder = plan_into(stage)
    assert "max_source_shrink_percent" in refused(stage, folder).err
