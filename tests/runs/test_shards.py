"""Beyond one machine: runs of some portals leave profiles alone, and `totals` then ends where one run would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from runs.result import Result
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_PATHS, USER_ROWS, Row, Stage

PORTAL = "LearnUpon_Portal__c"
OBJECTS = (PORTAL, MEMBERSHIP, CONTACT_ROWS, USER_ROWS, CONTACT_PATHS, USER_PATHS)
STAMPS = {"CreatedDate", "LastModifiedDate", "SystemModstamp", "LastReferencedDate", "LastViewedDate", "Id"}


def portals(result: Result) -> list[str]:
    """Return the names of the portals that a run read."""
    return [portal["name"] for portal in result.report["portals"]]


def state(stage: Stage) -> dict[str, Any]:
    """Return all that Salesforce holds, without record ids of our rows and stamps."""
    owners = {row["Id"]: key for name in (PORTAL, MEMBERSHIP) for key, row in stage.rows(name).items()}

    def plain(row: Row) -> Row:
        kept = {name: value for name, value in row.items() if name.endswith("__c")}
        return {name: owners.get(str(value), value) for name, value in kept.items()}

    return {name: {key: plain(row) for key, row in stage.rows(name).items()} for name in (*OBJECTS, "Contact", "User")}


def test_shards_and_totals_end_where_one_run_ends(tmp_path: Path) -> None:
    """Shards, then `totals`, give the rows and profiles of one run, after a night too; a whole run is idle then."""
    ends = []
    for sharded in (False, True):
        folder = tmp_path / str(sharded)
        folder.mkdir()
        with Stage(folder, learners=36, seed=4, enrollments_per_learner=4) as stage:
            for night in (0, 1):
                if night:
                    stage.emu.night(1)
                allow = ("--allow-updates", "500", "--allow-deletes", "500")
                if not sharded:
                    stage.synced("run", *allow)
                    continue
                parts = [stage.synced("run", "--shard", f"{n}/2", *allow) for n in range(2)]
                assert [portals(part) for part in parts] == [[one["name"]] for one in stage.settings["portals"]]
                assert not any("Contact" in part.report["objects"] for part in parts)
                totals = stage.synced("totals", *allow[:2])
                assert {entry.object for entry in totals.effects} <= {"Contact", "User"}
            ends.append(state(stage))
            if sharded:
                stage.settled()
    assert sum(map(len, ends[0].values())) > 120
    assert ends[0] == ends[1]


@pytest.mark.parametrize("arguments", [("--portal", "partners"), ("--shard", "1/2")])
def test_one_portal_alone(stage: Stage, arguments: tuple[str, ...]) -> None:
    """A run of one portal writes, judges and deletes that portal's rows only, and no profile at all."""
    contact = stage.contact()
    learners = [stage.learner(portal, sf_contact_id=contact) for portal in (stage.academy, stage.partners)]
    rows = [
        stage.enroll(learner, portal=portal, id=8000 + n, status="in_progress")
        for n, (learner, portal) in enumerate(zip(learners, (stage.academy, stage.partners), strict=True))
    ]
    stage.synced()
    profile = stage.person(contact)
    assert profile["LU_Number_Enrolled__c"] == 2
    for portal, number, learner in zip((stage.academy, stage.partners), rows, learners, strict=True):
        portal.remove_enrollment(number)
        stage.enroll(learner, portal=portal, id=number + 100, status="passed")
    result = stage.synced("run", *arguments)
    assert portals(result) == ["partners"]
    assert set(stage.rows(CONTACT_ROWS)) == {f"12345:enrollment:{rows[0]}", f"67890:enrollment:{rows[1] + 100}"}
    assert result.done(CONTACT_ROWS, "delete") == [f"67890:enrollment:{rows[1]}"]
    assert stage.person(contact) == profile
    assert not result.asked("/academy/")
    member = stage.rows(MEMBERSHIP)[f"67890:member:{learners[1]}"]
    assert (member["LU_Number_Passed__c"], member["LU_Number_In_Progress__c"]) == (1, 0)
    stage.synced("totals")
    assert (stage.person(contact)["LU_Number_Passed__c"], stage.person(contact)["LU_Number_In_Progress__c"]) == (1, 1)


def test_both_portals_by_name_leave_profiles_alone(stage: Stage) -> None:
    """Profiles are a whole run's or `totals`' business, even when every portal was named; order does not matter."""
    contact = stage.contact()
    stage.enroll(stage.learner(sf_contact_id=contact))
    result = stage.synced("run", "--portal", "partners", "--portal", "academy")
    assert portals(result) == ["academy", "partners"]
    assert stage.person(contact)["LU_Number_Enrolled__c"] is None


def test_the_shard_of_an_indexed_job(stage: Stage) -> None:
    """`--shard /N` takes its number from $JOB_COMPLETION_INDEX, as Kubernetes sets it in an Indexed Job."""
    for index, name in enumerate(("academy", "partners")):
        result = stage.run("run", "--dry-run", "--shard", "/2", environ={"JOB_COMPLETION_INDEX": str(index)})
        assert (result.code, portals(result)) == (0, [name])


def test_a_shard_without_portals_has_nothing_to_do(stage: Stage) -> None:
    """With more shards than portals the last ones read no portal, write nothing and end well."""
    stage.enroll(stage.learner())
    result = stage.run("run", "--shard", "2/3")
    assert (result.code, result.effects, result.learnupon_calls) == (0, [], ()), result.err


def test_wrong_shards(stage: Stage) -> None:
    """What is not I/N with 0 <= I < N, or has no number and no index around, is wrong usage, and nobody is asked."""
    for shard in ("", "2/2", "3/2", "-1/2", "1", "/", "1/0", "a/2", "0/b", "/2", "1/2/3", "1.0/2", "²/3", "1/ 2"):
        result = stage.run("run", "--shard", shard)
        asked = (result.salesforce_calls, result.learnupon_calls)
        assert (result.code, result.folder, asked) == (64, None, ((), ())), shard
        assert "--shard" in result.err


def test_wrong_indexes(stage: Stage) -> None:
    """An index that is no number below N is wrong usage that names the variable."""
    for index in ("2", "-1", "one", ""):
        result = stage.run("run", "--shard", "/2", environ={"JOB_COMPLETION_INDEX": index})
        assert (result.code, result.salesforce_calls) == (64, ()), index
        assert "JOB_COMPLETION_INDEX" in result.err


@pytest.mark.parametrize("arguments", [("--portal", "nowhere"), ("--portal", "academy", "--shard", "0/2")])
def test_wrong_choices_of_portals(stage: Stage, arguments: tuple[str, ...]) -> None:
    """An unknown portal, or portals chosen in two ways, is wrong usage, and nobody is asked."""
    result = stage.run("run", *arguments)
    assert (result.code, result.salesforce_calls, result.learnupon_calls) == (64, (), ())
