"""What people and settings may do wrong (C1, C2, C4-C7, C9); a changed scope and spent guards are told elsewhere."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from runs.result import Result
from runs.school import some_long
from runs.small_world import furnish, quick, stopped
from runs.stage import CONTACT_ROWS, MEMBERSHIP, Stage
from runs.told import told

from etl.emulator.faults import Fault


def _refused_unasked(result: Result, *words: str) -> None:
    """See that settings were refused with 78 before anybody was asked: each fault in a line, nothing left behind."""
    assert (result.code, result.out, result.folder) == (78, "", None), result.err
    assert (result.learnupon_calls, result.salesforce_calls, result.ledger) == ((), (), ())
    for word in words:
        assert word in result.err, (word, result.err)


@pytest.mark.fault("C1")
@pytest.mark.parametrize("command", some_long(["run", "plan", "totals", "backfill"], {"run"}))
def test_the_settings_of_another_org(stage: Stage, command: str) -> None:
    """An org that is not the pinned one, sandbox or not, is asked who it is and nothing else: 78 with both ids."""
    furnish(stage)
    stage.configure(salesforce={"org_id": "00D5g00000OTHER"})
    result = stage.run(command, clock=quick())
    stopped(result, 78)
    told(result, 78, stage.org.org_id, "not the pinned 00D5g00000OTHER", "salesforce.login_url", "salesforce.org_id")
    asked = [call.target.split("?")[0].rsplit("/", 1)[-1] for call in result.salesforce_calls]
    assert (asked, result.learnupon_calls) == (["token", "query"], ())


@pytest.mark.fault("C1")
def test_an_org_that_does_not_say_who_it_is(stage: Stage) -> None:
    """An id that is none is not the pinned one: 78, nothing written."""
    furnish(stage)
    stage.emu.salesforce_faults.add(Fault(match="FROM Organization", when="mid", replace=(stage.org.org_id, "00Dxx")))
    result = stage.run(clock=quick())
    stopped(result, 78)
    told(result, 78, "the org that answered is unreadable", "salesforce.org_id")


@pytest.mark.fault("C2")
@pytest.mark.parametrize("how", some_long(["other id", "swapped"], {"other id"}))
def test_the_settings_of_another_portal(stage: Stage, how: str) -> None:
    """A portal that LearnUpon lists under another id is not read at all: 78 with both ids, nothing written."""
    furnish(stage)
    portals = stage.settings["portals"]
    if how == "other id":
        portals[0]["portal_id"] = 54321
    else:
        portals[0]["portal_id"], portals[1]["portal_id"] = portals[1]["portal_id"], portals[0]["portal_id"]
    result = stage.run(clock=quick())
    stopped(result, 78)
    told(
        result,
        78,
        "portal academy",
        "under id 12345",
        f"portal_id {portals[0]['portal_id']}",
        "correct url or portal_id",
    )
    assert not result.asked("/users")


@pytest.mark.fault("C2")
def test_another_portal_that_cannot_be_told(stage: Stage) -> None:
    """Where /portals tells nothing, a portal with other people trips the guard on the source: 3, nothing written."""
    course = stage.course()
    for _ in range(20):
        stage.enroll(stage.learner(), course)
    stage.enroll(stage.learner(stage.partners), portal=stage.partners)
    stage.synced()
    stage.store.knobs.portals_listed = "none"
    stage.configure(portals=[{**stage.settings["portals"][1], "name": "academy", "portal_id": 12345}])
    before = stage.rows(MEMBERSHIP)
    result = stage.run(clock=quick())
    stopped(result, 3)
    told(result, 3, "max_source_shrink_percent", "(learners of academy)")
    assert "whether the key pair is of the right portal could not be checked" in result.warnings
    assert stage.rows(MEMBERSHIP) == before


_TYPOS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a key": ({"guards": {"max_delets": 5}}, ("guards.max_delets", "max_deletes")),
    "a section": ({"gaurds": {"max_deletes": 5}}, ("gaurds", "guards")),
    "a place": ({"max_deletes": 5}, ("max_deletes", "guards.max_deletes")),
    "a value": ({"matching": {"email": "uniqe"}}, ("matching.email",)),
    "a status": ({"rules": {"finished_statuses": ["complete"]}}, ("rules.finished_statuses",)),
    "a number": ({"guards": {"max_delete_percent": 500}}, ("guards.max_delete_percent",)),
}


@pytest.mark.fault("C4")
@pytest.mark.parametrize("name", _TYPOS)
def test_a_slip_in_the_settings(stage: Stage, name: str) -> None:
    """A misspelt key, section, value or status is never a default in silence: 78, its place, the nearest known name."""
    changed, words = _TYPOS[name]
    stage.configure(**changed)
    _refused_unasked(stage.run(), *words, "learnupon-sync.yaml")


@pytest.mark.fault("C4")
def test_a_slip_in_an_option(stage: Stage) -> None:
    """A misspelt option or portal is wrong usage that names it and the nearest: 64, nobody is asked."""
    for arguments, word in (
        (("run", "--allow-delets", "5"), "--allow-deletes"),
        (("run", "--portal", "acadmy"), "academy"),
    ):
        result = stage.run(*arguments)
        assert (result.code, result.learnupon_calls, result.salesforce_calls, result.folder) == (64, (), (), None)
        assert word in result.err


def _tombstones(stage: Stage, size: int, gone: int) -> list[int]:
    stage.store.knobs.list_unfinished_unenrolled = True
    course = stage.course()
    rows = [stage.enroll(stage.learner(), course) for _ in range(size)]
    stage.synced()
    for row in rows[:gone]:
        stage.academy.unenroll(row)
    return rows


@pytest.mark.fault("C5")
def test_an_override_left_in_the_crontab(stage: Stage) -> None:
    """--allow-deletes is bound to its number each night: 4 rows are not let through by the 3 of the night before: 3."""
    rows = _tombstones(stage, 24, 3)
    nightly = ("run", "--allow-deletes", "3", "--allow-updates", "100")
    stage.configure(guards={"max_delete_percent": 1})
    first = stage.run(*nightly, clock=quick())
    assert (first.code, len(first.done(CONTACT_ROWS, "delete"))) == (0, 3), first.err
    assert first.report["overrides"] == {"allow_deletes": 3, "allow_updates": 100}
    assert "max_delete_percent" in [one["name"] for one in first.report["guards"] if one["overridden"]]
    assert "max_delete_percent overridden" in first.out
    for row in rows[3:7]:
        stage.academy.unenroll(row)
    second = stage.run(*nightly, clock=quick())
    stopped(second, 3)
    told(second, 3, "max_delete_percent", "--allow-deletes 4")
    assert second.report["overrides"] == {"allow_deletes": 3, "allow_updates": 100}


@pytest.mark.fault("C5")
def test_a_percentage_of_a_hundred(stage: Stage) -> None:
    """A percentage set to 100 leaves the absolute limit in force, which no other setting turns off: 3."""
    _tombstones(stage, 24, 6)
    stage.configure(guards={"max_delete_percent": 100, "max_update_percent": 100, "max_deletes": 5})
    result = stage.run(clock=quick())
    stopped(result, 3)
    told(result, 3, "max_deletes: 6 is over 5", "--allow-deletes 6")


@pytest.mark.fault("C6")
def test_two_configurations_of_one_org(stage: Stage) -> None:
    """Two configurations with a portal each leave one another's rows alone, however often they take turns."""
    for portal in (stage.academy, stage.partners):
        stage.enroll(stage.learner(portal), portal=portal)
    both = stage.settings["portals"]
    for portal in (*both, both[0]):
        stage.settings["portals"] = [copy.deepcopy(portal)]
        result = stage.run(clock=quick())
        assert result.code == 0, result.err
        keys = {str(entry.key) for entry in result.effects if entry.object.endswith("__c")}
        assert {key.split(":")[0] for key in keys} <= {str(portal["portal_id"])}
    assert result.effects == []
    assert len(stage.rows(MEMBERSHIP)) == len(stage.rows(CONTACT_ROWS)) == 2
    stage.settings["portals"] = both
    stage.settled()


@pytest.mark.fault("C7")
@pytest.mark.parametrize("size", some_long([0, 1, 30], {30}))
def test_an_org_without_rows(stage: Stage, size: int) -> None:
    """A first run has nothing to compare with: it creates, deletes nothing, and no percentage of nothing trips: 0."""
    course = stage.course()
    for _ in range(size):
        stage.enroll(stage.learner(), course)
    stage.configure(guards={"min_rows": 0, "max_update_percent": 0, "max_delete_percent": 0, "max_deletes": 0})
    result = stage.run(clock=quick())
    assert result.code == 0, result.err
    assert {entry.operation for entry in result.effects if entry.object.endswith("__c")} == {"create"}
    assert len(result.done(CONTACT_ROWS, "create")) == size
    assert not [one["name"] for one in result.report["guards"] if one["tripped"]]
    stage.settled()


def _secret(stage: Stage, text: str | None, mode: int = 0o600) -> Path:
    folder = stage.folder / "secrets"
    folder.mkdir(exist_ok=True)
    path = folder / "password"
    if text is not None:
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
    stage.settings["portals"][0]["password"] = f"${{file:{path}}}"
    return path


@pytest.mark.fault("C9")
@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("kanarie7-secret", 0o644, ("0644", "chmod")),
        ("kanarie7-secret", 0o666, ("0666",)),
        ("", 0o600, ("empty",)),
        ("\n", 0o600, ("empty",)),
        ("kanarie7\nkanarie7", 0o600, ("line",)),
        (None, 0, ("No such file",)),
    ],
    ids=["world-readable", "world-writable", "empty", "a line end alone", "two lines", "missing"],
)
def test_a_secret_file_that_is_not_fit(stage: Stage, text: str | None, mode: int, words: tuple[str, ...]) -> None:
    """A secret others can read, an empty or missing one: 78 with place, path and mode, never content."""
    path = _secret(stage, text, mode)
    _refused_unasked(stage.run(), "portals[0].password", str(path), *words)


@pytest.mark.fault("C9")
@pytest.mark.parametrize("end", some_long(["", "\n", "\r\n"], {"\n"}))
def test_a_secret_file_with_a_line_end(stage: Stage, end: str) -> None:
    """One line end behind a secret is no part of it: the run goes as ever."""
    _secret(stage, stage.settings["portals"][0]["password"] + end, 0o400)
    assert stage.run(clock=quick()).code == 0


@pytest.mark.fault("C9")
@pytest.mark.parametrize("which", ["portal", "org"])
def test_a_secret_that_is_wrong(stage: Stage, which: str) -> None:
    """A wrong password or client secret is 77: which one to check is said, not what it is; nothing is written."""
    furnish(stage)
    wrong: dict[str, Any] = {"client_secret": "kanarie7-wrong"}
    if which == "portal":
        stage.settings["portals"][1]["password"] = "kanarie7-wrong"
        words = ("portal partners", "HTTP 401", "check username and password of portal partners")
    else:
        stage.configure(salesforce=wrong)
        words = ("sign-in refused", "HTTP 400", "check salesforce.auth")
    result = stage.run(clock=quick())
    stopped(result, 77)
    told(result, 77, *words)
