"""A configuration full of faults, and an org that is another one, lacks something or says no: a whole run stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from runs.small_world import furnish, quick, stopped
from runs.stage import CONTACT_ROWS, Stage
from runs.told import told

from etl.emulator.faults import Fault

_SPENT = '[{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]'


def test_all_faults_of_a_configuration_are_told_at_once(stage: Stage) -> None:
    """Five faults in one file are five lines with their places and exit 78, and nobody is asked anything."""
    stage.settings["portals"][0] |= {"portal_id": "many", "passwort": "x"}
    stage.settings["portals"][1]["url"] = "http://acme.example.com"
    stage.configure(salesforce={"org_id": "00D"}, matching={"email": "always"})
    result = stage.run()
    assert (result.code, result.folder) == (78, None), result.err
    assert (result.learnupon_calls, result.salesforce_calls) == ((), ())
    for place in ("portal_id", "passwort", "url", "salesforce.org_id", "matching.email"):
        assert place in result.err, result.err
    assert "password" in result.err.replace("passwort", ""), "the nearest known key is named"


def test_another_org_is_asked_nothing_but_who_it_is(stage: Stage) -> None:
    """An org that is not the pinned one is refused with 78; only sign-in and the identity query reached it."""
    furnish(stage)
    stage.configure(salesforce={"org_id": "00D5g00000OTHER"})
    result = stage.run(clock=quick())
    stopped(result, 78, "00D5g00000OTHER", stage.org.org_id, "salesforce.org_id")
    targets = [f"{call.method} {call.target}" for call in result.salesforce_calls]
    assert len(targets) == 2, targets
    assert "/oauth2/token" in targets[0]
    assert "FROM+Organization" in targets[1]
    assert result.learnupon_calls == ()


def test_another_portal_is_refused(stage: Stage) -> None:
    """A portal that LearnUpon lists under another id than the configured one is 78, and none of it is read."""
    furnish(stage)
    stage.settings["portals"][0]["portal_id"] = 54321
    result = stage.run(clock=quick())
    stopped(result, 78, "academy", "12345", "54321", "correct url or portal_id")
    assert not result.asked("/users")


def _forget(stage: Stage) -> None:
    del stage.org.objects[CONTACT_ROWS].fields["Percent_Complete__c"]


def _forget_object(stage: Stage) -> None:
    del stage.org.objects[CONTACT_ROWS]
    del stage.org.tables[CONTACT_ROWS]


def _told_before_anything(stage: Stage, code: int, *words: str) -> None:
    """See that a run stops over the org's one fault, nothing written, and LearnUpon not asked for that."""
    result = stage.run(clock=quick())
    stopped(result, code)
    told(result, code, "the org cannot be written as it is, 1 problem", *words, "see that learnupon-sync check is")
    assert result.learnupon_calls == ()


@pytest.mark.fault("D20")
@pytest.mark.parametrize(
    ("spoil", "what"),
    [(_forget, f"{CONTACT_ROWS}.Percent_Complete__c: the field"), (_forget_object, f"{CONTACT_ROWS}: the object")],
    ids=["field", "object"],
)
def test_what_the_org_lacks_is_told_before_anything(stage: Stage, spoil: Callable[[Stage], None], what: str) -> None:
    """A missing field or object is 78 with its name and the remedy, before LearnUpon is asked for anything."""
    furnish(stage)
    spoil(stage)
    _told_before_anything(
        stage, 78, f"{what} is missing", "deploy config/salesforce", "(permission set LearnUpon_Sync)"
    )


@pytest.mark.fault("D21")
def test_a_field_that_may_not_be_written_is_told_before_anything(stage: Stage) -> None:
    """A field that the user may not edit is 77 with its name and that of the permission set that opens it."""
    furnish(stage)
    stage.org.read_only_fields = {"Contact.LU_Number_Passed__c"}
    _told_before_anything(
        stage,
        77,
        "Contact.LU_Number_Passed__c: the user may not edit it",
        "assign the permission set LearnUpon_Sync to the user",
    )


@pytest.mark.fault("D22")
@pytest.mark.parametrize("lacks", ["unique", "external_id"])
def test_a_key_that_is_none_is_told_before_anything(stage: Stage, lacks: str) -> None:
    """A key that is not unique, or no external id, is 78 with its name and what to set on it."""
    furnish(stage)
    fields = stage.org.objects[CONTACT_ROWS].fields
    without: dict[str, Any] = {lacks: False}
    fields["LU_Key__c"] = replace(fields["LU_Key__c"], **without)
    _told_before_anything(
        stage,
        78,
        f"{CONTACT_ROWS}.LU_Key__c: it is not a unique external id",
        "set External ID and Unique on it",
    )


@pytest.mark.fault("D7")
@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault(match="/oauth2/token", status=400, body='{"error": "invalid_client"}', times=None), 77, ("sign-in",)),
        (Fault(match="/describe", status=403, body=_SPENT, times=None), 75, ("REQUEST_LIMIT_EXCEEDED", "allowance")),
        (Fault(match="POST .*/jobs/query", status=403, body=_SPENT, times=None), 75, ("REQUEST_LIMIT_EXCEEDED",)),
        (Fault(match="/describe", status=503, body="down", times=None), 69, ("503", "5 attempts")),
        (Fault(match="/jobs/query/.*/results", when="mid", replace=("LU_Key__c", "LU_Kez__c"), times=None), 69, ()),
        (Fault(match="/services/data", status=302, headers={"Location": "https://e.example.net"}, times=None), 69, ()),
    ],
    ids=["sign-in", "describe over quota", "query over quota", "down", "other columns", "redirect"],
)
def test_an_org_that_does_not_serve_us(stage: Stage, fault: Fault, code: int, words: tuple[str, ...]) -> None:
    """Refused credentials are 77, a spent allowance 75, no usable answer 69; nothing is written in any of them."""
    furnish(stage)
    stage.emu.salesforce_faults.add(fault)
    result = stage.run(clock=quick())
    stopped(result, code)
    told(result, code, *words)
    assert stage.emu.salesforce_faults.fired


@pytest.mark.fault("D6")
@pytest.mark.parametrize("nth", [1, 4, 9])
def test_an_expired_session_is_renewed_and_the_run_goes_on(stage: Stage, nth: int) -> None:
    """A session that ends on the way is renewed once a refused call; the run ends well and nothing is sent twice."""
    furnish(stage)
    hook = Fault(match="/jobs/", nth=nth, hook=lambda _: stage.org.expire_sessions())
    stage.emu.salesforce_faults.add(hook)
    result = stage.synced()
    tokens = [call for call in result.salesforce_calls if "/oauth2/token" in call.target]
    assert len(tokens) == 2
    assert len(stage.rows(CONTACT_ROWS)) == 4
    stage.settled()


@pytest.mark.fault("D6")
def test_a_session_that_cannot_be_renewed_is_refused(stage: Stage) -> None:
    """Once a fresh session is refused too, the run stops with 77 instead of asking for ever."""
    furnish(stage)
    body = '[{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]'
    stage.emu.salesforce_faults.add(Fault(match="/describe", status=401, body=body, times=None))
    result = stage.run(clock=quick())
    stopped(result, 77)
    told(result, 77, "INVALID_SESSION_ID", "check salesforce.auth")
    assert len([call for call in result.salesforce_calls if "/oauth2/token" in call.target]) <= 8


@pytest.mark.fault("D7")
def test_an_allowance_spent_between_jobs_is_told_as_it_is(stage: Stage) -> None:
    """When the org's allowance ends between two jobs the run stops with 75 and the report says what was written."""
    furnish(stage)
    stage.emu.salesforce_faults.add(Fault(match="POST .*/jobs/ingest", nth=3, status=403, body=_SPENT, times=None))
    result = stage.run(clock=quick())
    told(result, 75, "REQUEST_LIMIT_EXCEEDED", "run again when it is refilled")
    assert result.report["outcome"] == "quota"
    assert len(result.ingest_jobs) == 3
    assert result.counts("LearnUpon_Portal_Membership__c")["created"] == 3
    assert result.counts(CONTACT_ROWS)["created"] == 0
    assert "Nothing was written" not in result.out
    stage.emu.salesforce_faults.clear()
    stage.synced()
    stage.settled()
