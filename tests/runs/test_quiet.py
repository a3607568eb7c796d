"""What `-q` leaves on standard error: all that cron mails, since nobody is shown the summary of the night."""

from __future__ import annotations

import json
import re

from runs.small_world import furnish, quick
from runs.stage import CONTACT_ROWS, Stage

from etl.emulator.faults import Fault


def _lines(words: str) -> list[str]:
    """Return the lines of a log without the times."""
    return [line.partition(" ")[2] for line in words.splitlines()]


def _with_a_rejected_row(stage: Stage) -> None:
    """Invent a world with a score that the field cannot hold: its row is never sent."""
    world = furnish(stage)
    stage.enroll(world.learners[1], world.second_course, status="passed", percentage=123456)


def test_rows_that_were_never_sent_are_one_line(stage: Stage) -> None:
    """A quiet run that ends with 1 says how many rows did not get in, and where they are listed; so every night."""
    _with_a_rejected_row(stage)
    for done in ("Done: 9 created", "1 rejected"):
        result = stage.run("-q", "run", clock=quick())
        assert (result.code, len(result.table("refused.csv"))) == (1, 1)
        (line,) = _lines(result.err)
        assert line.startswith("WARNING Finished, but 1 row did not get in.")
        assert done in line
        assert line.endswith(f"Each is listed in {result.folder}/refused.csv")


def test_rows_that_were_other_when_read_back_are_told(stage: Stage) -> None:
    """A row that was there with another value when it was read back is told too, with its number and the list."""
    world = furnish(stage)
    row = stage.enroll(world.learners[1], world.second_course)

    def meddle() -> None:
        found = stage.row(CONTACT_ROWS, f"12345:enrollment:{row}")["Id"]
        stage.org.update(CONTACT_ROWS, found, {"Score__c": 1}, record=False)

    stage.before(rf"^GET .*/query/?\?.*SELECT.Id.*FROM.{CONTACT_ROWS}", meddle)
    result = stage.run("run", "-q")
    assert result.code == 1
    warned, told = _lines(result.err)
    assert warned == f"WARNING {result.warnings}"
    assert "1 row did not get in" in told


def test_warnings_of_the_report_are_logged_when_the_report_is_not_read(stage: Stage) -> None:
    """What the report warns of is a line of the log with `-q` and for programs; a person is told once, by the report.

    A night without warnings says nothing, and neither does one that wrote.
    """
    world = furnish(stage)
    assert stage.run("-q", "run").err == ""
    stage.enroll(world.learners[1], world.second_course, status="paused")
    quiet = stage.run("plan", "-q")
    assert "paused" in quiet.warnings
    assert _lines(quiet.err) == [f"WARNING {line}" for line in quiet.report["warnings"]]
    loud = stage.run("plan")
    assert ("paused" in loud.out, "paused" in loud.err) == (True, False)
    logged = [json.loads(line) for line in stage.run("--log-format", "json", "plan").err.splitlines()]
    assert [line["message"] for line in logged if line["level"] == "warning"] == loud.report["warnings"]


def test_a_stopped_run_logs_its_warnings_before_its_last_line(stage: Stage) -> None:
    """Of a quiet run that was stopped the last line still says why; nothing of its warnings is lost."""
    world = furnish(stage)
    stage.enroll(world.learners[1], world.second_course, status="paused")
    stage.emu.salesforce_faults.add(Fault(match="POST .*/jobs/ingest", status=403, body="[]", times=None))
    result = stage.run("-q", "run", clock=quick())
    assert result.code == 77, result.err
    assert re.fullmatch(r"(.* WARNING .*\n)+error: .*\n", result.err), result.err
    assert "paused" in result.err
