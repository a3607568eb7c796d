"""What logs and reports keep to themselves: names, addresses, secrets; and that no cell of theirs is a formula."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from runs.small_world import furnish, quick
from runs.stage import CONTACT_ROWS, Stage

from etl.emulator.faults import Fault
from etl.emulator.salesforce.org import Refusal

_PERSONAL = ("Zebulon", "Quixwood", "zeb.quixwood", "Canary")


def _canaries(stage: Stage) -> tuple[str, ...]:
    """Learners with unmistakable names, matched and not; returns what must not be seen, the secrets among it."""
    furnish(stage)
    person: dict[str, Any] = {"first_name": "Zebulon", "last_name": "Quixwood", "username": "zeb.quixwood.login"}
    contact = stage.contact(FirstName="Canary", LastName="Quixwood", Email="zeb.quixwood@example.com")
    learner = stage.learner(sf_contact_id=contact, email="zeb.quixwood@example.com", **person)
    stage.enroll(learner, status="completed")
    stage.learner(sf_contact_id="0035g00000XXXXX", email="zeb.quixwood.2@example.com", **person)
    stage.academy.add_user(email="zeb.quixwood.3@example.com", **person)
    secrets = [portal["password"] for portal in stage.settings["portals"]]
    return (*_PERSONAL, *secrets, stage.settings["salesforce"]["client_secret"], stage.org.access_token, "!AQ")


def _left(stage: Stage) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in stage.state_dir.rglob("*") if path.is_file()}


@pytest.mark.parametrize("style", ["text", "json"])
def test_nothing_personal_and_no_secret_is_told(stage: Stage, style: str) -> None:
    """Logs, output and every file of a run hold no learner's name or e-mail and no secret, however loud the log is."""
    canaries = _canaries(stage)
    stage.org.refuse = [Refusal(CONTACT_ROWS, {"Status__c": "Completed"}, "FIELD_CUSTOM_VALIDATION_EXCEPTION:No")]
    for fault in (None, Fault(match="/users", when="mid", close_after_bytes=400, honest_length=False, times=None)):
        if fault:
            stage.emu.learnupon_faults.add(fault)
        result = stage.run("-v", "--log-format", style, "run", clock=quick())
        assert result.code == (65 if fault else 1), result.err
        told = [(Path("out"), result.out.encode()), (Path("err"), result.err.encode())]
        for place, content in [*told, *_left(stage).items()]:
            for canary in canaries:
                assert canary.encode() not in content, (canary, place)


def test_json_logs_are_lines_of_json(stage: Stage) -> None:
    """With --log-format json every line on standard error is an object with time, level and message, errors too."""
    furnish(stage)
    command = [sys.executable, "-m", "etl", "--config", str(stage.config()), "-v", "--log-format", "json", "run"]
    for fault, code in ((None, 0), (Fault(match="/users", status=401, body="{}", times=None), 77)):
        if fault:
            stage.emu.learnupon_faults.add(fault)
        # a process of its own: nothing else that logs is in it
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        assert done.returncode == code
        assert lines
        assert all({"time", "level", "message"} <= set(line) for line in lines), lines[0]
    assert lines[-1]["exit_code"] == 77


def test_no_cell_is_a_formula(stage: Stage) -> None:
    """Texts from outside that begin like a formula get an apostrophe in every CSV of a run."""
    furnish(stage)
    stage.configure(report={"show_names": True})
    stage.academy.add_user(
        sf_contact_id="=2+5", first_name="@SUM(1)", last_name="-cmd|' /C calc'!A0", email="+1@x.example"
    )
    stage.org.refuse = [Refusal(CONTACT_ROWS, {"Course_Name__c": "Ropes"}, 'CUSTOM_ERROR:=HYPERLINK("x")')]
    result = stage.run(clock=quick())
    assert result.code == 1
    assert result.folder is not None
    files = sorted(path.relative_to(result.folder) for path in result.folder.rglob("*.csv"))
    assert {"unmatched.csv", "refused.csv"} <= {str(path) for path in files}
    cells = [cell for path in files for line in result.table(str(path)) for cell in line.values()]
    assert not [cell for cell in cells if cell[:1] in "=+-@" and cell]
    assert {"'=2+5", "'@SUM(1)", "'+1@x.example"} <= set(cells)
    assert any(cell.startswith("'=HYPERLINK") for cell in cells)
