"""A saved plan is applied exactly as it is, once; it appears whole, and others cannot read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs.saved_plans import APPLY, changes_of_every_kind, manifest, plan_into, refused
from runs.stage import CONTACT_ROWS, MEMBERSHIP, Stage

from etl.emulator.faults import Fault

PARTNERS = 67890


def test_a_saved_plan_is_applied_as_it_was_shown(stage: Stage) -> None:
    """What apply writes is what plan counted, LearnUpon is not asked, and a run finds nothing left to do."""
    ids = changes_of_every_kind(stage)
    folder = plan_into(stage)
    planned = json.loads(stage.run("plan", "--json").out)["objects"]
    result = stage.run(APPLY, str(folder))
    assert result.code == 0, result.err
    assert result.learnupon_calls == ()
    for name, counts in result.report["objects"].items():
        assert [counts[what] for what in ("desired", "existing", "create", "update", "delete")] == [
            planned[name][what] for what in ("desired", "existing", "create", "update", "delete")
        ]
    assert result.done(CONTACT_ROWS, "create") == sorted(
        [f"12345:enrollment:{ids['fresh']}", f"{PARTNERS}:enrollment:{ids['other']}"]
    )
    assert result.done(CONTACT_ROWS, "delete") == [f"12345:enrollment:{ids['dropped']}"]
    changed = result.sent(CONTACT_ROWS)[f"12345:enrollment:{ids['changed']}"]
    assert (changed["Status__c"], changed["Score__c"]) == ("Passed", 91)
    stage.settled()


def test_what_came_later_is_not_applied(stage: Stage) -> None:
    """A change in LearnUpon after the plan is left to the next run: exactly the plan is written."""
    ids = changes_of_every_kind(stage)
    folder = plan_into(stage)
    stage.academy.change_enrollment(ids["fresh"], status="in_progress")
    later = stage.enroll(stage.learner())
    assert stage.run(APPLY, str(folder)).code == 0
    rows = stage.rows(CONTACT_ROWS)
    assert rows[f"12345:enrollment:{ids['fresh']}"]["Status__c"] == "Not Started"
    assert f"12345:enrollment:{later}" not in rows
    stage.synced()
    assert stage.row(CONTACT_ROWS, f"12345:enrollment:{ids['fresh']}")["Status__c"] == "In Progress"


def test_a_move_is_applied_from_a_saved_plan(stage: Stage) -> None:
    """The row in the new object is made and the old one deleted, as a run would do it."""
    learner = stage.learner()
    row = stage.enroll(learner, status="completed")
    stage.configure(guards={"min_rows": 100})
    stage.synced()
    stage.academy.change_user(learner, sf_contact_id=None, sf_user_id=stage.user())
    assert stage.run(APPLY, str(plan_into(stage))).code == 0
    assert list(stage.rows("LearnUponEnrollment__c")) == [f"12345:enrollment:{row}"]
    assert stage.rows(CONTACT_ROWS) == {}
    stage.settled()


def test_a_plan_of_one_portal_leaves_the_rest_alone(stage: Stage) -> None:
    """A plan with --portal holds that portal's rows and no profiles, and so does its apply."""
    changes_of_every_kind(stage)
    folder = plan_into(stage, "--portal", "partners")
    assert manifest(folder)["with_profiles"] is False
    result = stage.run(APPLY, str(folder))
    assert result.code == 0, result.err
    assert [one["portal_id"] for one in result.report["portals"]] == [PARTNERS]
    assert {entry.object for entry in result.effects} == {MEMBERSHIP, CONTACT_ROWS}
    assert all(str(entry.key).startswith(f"{PARTNERS}:") for entry in result.effects)
    assert result.folder is not None
    assert json.loads((result.folder / "plan" / "copy.json").read_text())["with_profiles"] is False


def test_a_plan_without_changes_is_applied_without_a_job(stage: Stage) -> None:
    """An empty plan is a plan too: nothing is sent, and it ends with 0."""
    stage.enroll(stage.learner())
    stage.synced()
    result = stage.run(APPLY, str(plan_into(stage)))
    assert (result.code, result.effects, result.ingest_jobs) == (0, [], [])


def test_rows_that_cannot_be_written_are_told_again(stage: Stage) -> None:
    """Rows that the plan rejected are listed by apply as well, which then ends with 1."""
    stage.enroll(stage.learner(), percentage=12345678)
    folder = plan_into(stage)
    result = stage.run(APPLY, str(folder))
    assert result.code == 1, result.err
    assert [line["code"] for line in result.table("refused.csv")] == ["rejected"]


def test_the_folder_is_private_and_complete(stage: Stage) -> None:
    """Folders are 0700 and files 0600, every file but the manifest is named in it, and nothing else is left behind."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    paths = [folder, *folder.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o600}
    files = {path.relative_to(folder / "rows").as_posix() for path in paths if path.is_file() and path.parent != folder}
    assert files == set(manifest(folder)["files"])
    assert [path.name for path in stage.folder.iterdir() if path.name.startswith(".")] == []


def test_nothing_is_overwritten(stage: Stage) -> None:
    """A folder with anything in it, or a file, is a wrong usage before anybody is asked; an empty folder will do."""
    full, empty = stage.folder / "full", stage.folder / "empty"
    full.mkdir()
    empty.mkdir()
    (full / "mine.txt").write_text("keep", encoding="utf-8")
    for place in (full, full / "mine.txt"):
        result = stage.run("plan", "--out", str(place))
        assert (result.code, result.salesforce_calls, result.learnupon_calls) == (64, (), ())
    assert [path.name for path in full.iterdir()] == ["mine.txt"]
    plan_into(stage, name="empty")
    assert stage.run("plan", "--out", str(empty)).code == 64


def test_a_plan_that_fails_leaves_no_folder(stage: Stage) -> None:
    """A plan that stops before its end saves nothing."""
    stage.emu.learnupon_faults.add(Fault(match="GET .*/users", status=401, times=None))
    assert stage.run("plan", "--out", str(stage.folder / "saved")).code == 77
    assert not (stage.folder / "saved").exists()


def test_a_place_that_cannot_be_written_is_a_fault_of_the_disk(stage: Stage) -> None:
    """A plan that cannot be saved ends with 74 and names the place, and leaves nothing half done."""
    blocker = stage.folder / "blocker"
    blocker.write_text("a file, no folder", encoding="utf-8")
    result = stage.run("plan", "--out", str(blocker / "saved"))
    assert result.code == 74
    assert "blocker" in result.err


def test_a_wrong_age_is_a_wrong_usage(stage: Stage) -> None:
    """--max-age takes whole minutes, hours or days and nothing else."""
    for span in ("", "24", "1w", "-1h", "1.5h", "999999999d", "24H"):
        result = stage.run(APPLY, str(stage.folder), f"--max-age={span}")
        assert (result.code, "time span" in result.err) == (64, True), span


def test_what_is_no_saved_plan_is_a_wrong_usage(stage: Stage) -> None:
    """A folder that is not there, or without a plan in it, ends with 64 and asks nobody."""
    for place in ("nowhere", ".", "learnupon-sync.yaml"):
        result = stage.run(APPLY, str(stage.folder / place))
        assert (result.code, result.salesforce_calls) == (64, ()), place
        assert "plan.json" in result.err


def test_only_json_goes_to_standard_output(stage: Stage) -> None:
    """With --json both commands print a report and nothing else."""
    changes_of_every_kind(stage)
    folder = stage.folder / "saved"
    assert json.loads(stage.run("plan", "--json", "--out", str(folder)).out)["command"] == "plan"
    assert json.loads(stage.run(APPLY, str(folder), "--json").out)["command"] == "apply"


def test_the_history_names_the_apply(stage: Stage) -> None:
    """`runs` lists an apply like any run, and its journal names the plan's run."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    result = stage.run(APPLY, str(folder))
    assert result.folder is not None
    events = [json.loads(line) for line in (result.folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [one["planned_by"] for one in events if one["event"] == "plan_claimed"] == [manifest(folder)["run_id"]]
    assert APPLY in stage.run("runs").out


def test_a_plan_for_learnupon_s_package_is_applied_too(tmp_path: Path) -> None:
    """Where rows have no key of ours they are all read again: what changed since is seen, else the plan is applied."""
    with Stage(tmp_path, namespace="LearnUponP") as stage:
        row = stage.enroll(stage.learner(), status="in_progress", percentage=None)
        stage.synced()
        stage.academy.change_enrollment(row, status="passed", percentage=91)
        folder = plan_into(stage)
        [held] = stage.org.rows(f"LearnUponP__{CONTACT_ROWS}")
        stage.org.update(f"LearnUponP__{CONTACT_ROWS}", held["Id"], {"LearnUponP__Score__c": 5})
        refused(stage, folder)
        stage.org.update(f"LearnUponP__{CONTACT_ROWS}", held["Id"], {"LearnUponP__Score__c": None})
        assert stage.run(APPLY, str(folder)).code == 0
        assert stage.org.rows(f"LearnUponP__{CONTACT_ROWS}")[0]["LearnUponP__Score__c"] == 91
        stage.settled()


def test_a_plan_is_applied_to_the_configuration_s_portals_only(stage: Stage) -> None:
    """A plan whose portals are not those of the configuration is a fault of the configuration: 78."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    stage.configure(portals=stage.settings["portals"][:1])
    result = refused(stage, folder, code=78)
    assert "partners (67890)" in result.err


def test_a_relative_folder_is_where_people_think_it_is(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """DIR may be relative to where the program is called."""
    stage.enroll(stage.learner())
    monkeypatch.chdir(stage.folder)
    assert stage.run("plan", "--out", "deep/er/saved").code == 0
    assert (Path("deep") / "er" / "saved" / "plan.json").is_file()
    assert stage.run(APPLY, "deep/er/saved").code == 0
    stage.settled()
