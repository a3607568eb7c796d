"""`check`: one line for each thing a run needs, with the remedy where it is missing; it reads and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from runs.result import Result
from runs.small_world import quick
from runs.stage import CONTACT_ROWS, USER_PATHS, Stage

from etl.emulator.faults import Fault

QUOTAS = ("DailyApiRequests", "DailyBulkV2QueryJobs", "DailyBulkApiBatches", "DataStorageMB")


def checked(stage: Stage, *arguments: str) -> Result:
    """Run the check; see that it wrote nothing, left no run behind and gave no secret away."""
    result = stage.run("-v", "check", *arguments, clock=quick())
    assert (result.ledger, result.ingest_jobs, result.writing_calls, result.folder) == ((), [], [], None)
    assert {call.method for call in result.learnupon_calls} <= {"GET"}
    sessions = [str(token) for token in stage.org.sessions._calls]
    portals = [str(portal[key]) for portal in stage.settings["portals"] for key in ("username", "password")]
    for secret in (stage.settings["salesforce"]["client_secret"], *sessions, *portals):
        assert secret not in result.out + result.err
    return result


def lines(result: Result, mark: str) -> list[str]:
    """Return the lines that begin with a mark (`ok`, `note`, `FAIL`), without it."""
    return [line.removeprefix(mark).strip() for line in result.out.splitlines() if line.startswith(mark + " ")]


def test_a_good_org(stage: Stage) -> None:
    """Where nothing is missing every line is ok, and there is one for each thing a run needs; exit 0."""
    result = checked(stage)
    assert result.code == 0
    said = lines(result, "ok")
    assert len(said) == len(result.out.splitlines())
    assert [line.split(":")[0] for line in said] == [
        "configuration",
        "Salesforce sign-in",
        "Salesforce objects",
        *QUOTAS,
        "Salesforce run log",
        "LearnUpon portal academy",
        "LearnUpon portal partners",
    ]
    assert "8 objects" in result.out
    assert stage.org.org_id in result.out
    assert "left this week" in said[-1]


def test_an_address_that_cannot_be_read(stage: Stage) -> None:
    """Who may not read e-mail addresses is told so when learners are matched by them, and else syncs without."""
    del stage.org.objects["Contact"].fields["Email"]
    contact = stage.contact()
    stage.enroll(stage.learner(sf_contact_id=contact))
    stage.enroll(stage.learner(sf_user_id=stage.user()))
    assert checked(stage).code == 0
    stage.synced()
    assert stage.person(contact)["LU_Number_Enrolled__c"] == 1
    stage.configure(matching={"email": "unique"})
    result = checked(stage)
    assert result.code == 78
    (line,) = lines(result, "FAIL")
    assert line.startswith("Contact.Email: matching.email needs it")
    assert "permission set LearnUpon_Sync" in line


@pytest.mark.parametrize(("sandbox", "words"), [(True, "a sandbox"), (False, "a production org")])
def test_the_kind_of_org_is_named(stage: Stage, *, sandbox: bool, words: str) -> None:
    """Whoever is about to write sees whether the pinned org is a sandbox or the production org."""
    for row in stage.org.tables["Organization"].rows.values():
        row["IsSandbox"] = sandbox
    assert lines(checked(stage), "ok")[1].endswith(words)


def _wrong_secret(stage: Stage) -> None:
    stage.configure(salesforce={"client_secret": "canary-of-a-secret"})


def _other_org(stage: Stage) -> None:
    stage.configure(salesforce={"org_id": "00D5g00000OTHER"})


def _no_object(stage: Stage) -> None:
    del stage.org.objects[USER_PATHS]
    del stage.org.tables[USER_PATHS]


def _no_field(stage: Stage) -> None:
    del stage.org.objects["User"].fields["LU_Number_Failed__c"]


def _closed_field(stage: Stage) -> None:
    stage.org.read_only_fields = {f"{CONTACT_ROWS}.Score__c"}


def _loose_key(stage: Stage) -> None:
    fields = stage.org.objects[CONTACT_ROWS].fields
    fields["LU_Key__c"] = replace(fields["LU_Key__c"], unique=False)


def _wrong_password(stage: Stage) -> None:
    stage.settings["portals"][1]["password"] = "canary-of-a-password"


def _other_portal(stage: Stage) -> None:
    stage.settings["portals"][0]["portal_id"] = 54321


def _down(stage: Stage) -> None:
    stage.emu.learnupon_faults.add(Fault(match="/academy/.*portals", status=503, body="down", times=None))


PROBLEMS: list[tuple[Callable[[Stage], None], int, str, tuple[str, ...]]] = [
    (_wrong_secret, 77, "Salesforce sign-in: ", ("sign-in refused", "check salesforce.auth")),
    (_other_org, 78, "Salesforce sign-in: ", ("00D5g00000OTHER", "check salesforce.login_url")),
    (_no_object, 78, f"{USER_PATHS}: ", ("the object is missing", "deploy config/salesforce", "LearnUpon_Sync")),
    (_no_field, 78, "User.LU_Number_Failed__c: ", ("the field is missing", "deploy config/salesforce")),
    (_closed_field, 77, f"{CONTACT_ROWS}.Score__c: ", ("may not edit it", "assign the permission set LearnUpon_Sync")),
    (_loose_key, 78, f"{CONTACT_ROWS}.LU_Key__c: ", ("not a unique external id", "set External ID and Unique")),
    (_wrong_password, 77, "LearnUpon portal partners: ", ("401", "username", "password")),
    (_other_portal, 78, "LearnUpon portal academy: ", ("12345", "54321", "correct url or portal_id")),
    (_down, 69, "LearnUpon portal academy: ", ("503", "run again later")),
]


@pytest.mark.parametrize(("spoil", "code", "what", "words"), PROBLEMS, ids=[case[0].__name__ for case in PROBLEMS])
def test_a_problem_has_its_line_its_remedy_and_its_code(
    stage: Stage, spoil: Callable[[Stage], None], code: int, what: str, words: tuple[str, ...]
) -> None:
    """What is wrong is one line that says what to do about it; all else is still looked at; the exit code fits."""
    spoil(stage)
    result = checked(stage)
    assert result.code == code, result.out
    failed = lines(result, "FAIL")
    assert len(failed) == (2 if spoil is _closed_field else 1), result.out
    assert failed[0].startswith(what)
    for word in words:
        assert any(word in line for line in failed), (word, failed)
    other = "partners" if "academy" in what else "academy"
    assert f"LearnUpon portal {other}: signed in" in result.out
    assert "canary" not in result.out + result.err


def test_another_org_is_looked_at_no_further(stage: Stage) -> None:
    """Of an org that is not the pinned one nothing but its identity is read."""
    _other_org(stage)
    result = checked(stage)
    assert len(result.salesforce_calls) == 2
    assert "Salesforce objects" not in result.out


def test_every_problem_at_once(stage: Stage) -> None:
    """Several problems are several lines of one check; the exit code is that of the first."""
    for spoil in (_no_field, _loose_key, _wrong_password, _other_portal):
        spoil(stage)
    result = checked(stage)
    assert (result.code, len(lines(result, "FAIL"))) == (78, 4), result.out
    assert "Salesforce run log" in result.out


def test_quotas_that_cannot_be_read_are_a_note(stage: Stage) -> None:
    """A user who may not see the org's limits can still run: one note says which permission shows them; exit 0."""
    body = json.dumps([{"message": "no access", "errorCode": "FORBIDDEN"}])
    stage.emu.salesforce_faults.add(Fault(match="/limits", status=403, body=body, times=None))
    result = checked(stage)
    assert result.code == 0
    (note,) = lines(result, "note")
    assert note.startswith("Salesforce quotas: cannot be read")
    assert "View Setup and Configuration" in note
    assert not [line for line in lines(result, "ok") if line.startswith("Daily")]


def test_a_scarce_allowance_is_a_note(stage: Stage) -> None:
    """An allowance of which less than a tenth is left is pointed out, with the numbers."""
    stage.org.limits["DailyApiRequests"] = {"Max": 100_000, "Remaining": 9_000}
    result = checked(stage)
    assert result.code == 0
    (note,) = lines(result, "note")
    assert note.startswith("DailyApiRequests: ")
    assert note.endswith("of 100,000 left")


def test_an_org_without_the_run_log_is_a_note(stage: Stage) -> None:
    """The run log is optional: without it a note says what is lost and how to have it; exit 0."""
    del stage.org.objects["LearnUpon_Sync_Run__c"]
    del stage.org.tables["LearnUpon_Sync_Run__c"]
    result = checked(stage)
    assert result.code == 0
    (note,) = lines(result, "note")
    assert "LearnUpon_Sync_Run__c" in note
    assert "deploy config/salesforce" in note


def test_a_portal_that_cannot_be_told_is_a_note(stage: Stage) -> None:
    """A key pair that sees neither its subdomain nor its id in GET /portals is good, but its pin is unproved."""
    stage.store.knobs.portals_listed = "none"
    result = checked(stage)
    assert result.code == 0
    notes = lines(result, "note")
    assert [note.split(":")[0] for note in notes] == ["LearnUpon portal academy", "LearnUpon portal partners"]
    assert all("could not be checked" in note for note in notes)


@pytest.mark.parametrize("spoil", [None, _no_field, _wrong_secret], ids=["good", "missing field", "no sign-in"])
def test_json_is_json_only(stage: Stage, spoil: Callable[[Stage], None] | None) -> None:
    """With --json standard output is one JSON list, in the order of the lines, whatever was found."""
    if spoil:
        spoil(stage)
    result, told = checked(stage, "--json"), checked(stage)
    found = json.loads(result.out)
    assert {frozenset(one) for one in found} == {frozenset({"what", "said", "exit_code", "note"})}
    assert result.code == told.code == next((one["exit_code"] for one in found if one["exit_code"]), 0)
    words = [line[6:].split(": ")[0] for line in told.out.splitlines() if not line.startswith(" ")]
    assert [one["what"] for one in found] == words


def test_a_bad_configuration_is_told_without_a_request(stage: Stage) -> None:
    """Faults of the configuration are told with their places on standard error, and nobody is asked; exit 78."""
    stage.configure(salesforce={"org_id": "00D"}, guards={"max_delets": 3})
    result = checked(stage, "--json")
    assert (result.code, result.out, result.salesforce_calls, result.learnupon_calls) == (78, "", (), ())
    assert "salesforce.org_id" in result.err
    assert "max_deletes" in result.err
