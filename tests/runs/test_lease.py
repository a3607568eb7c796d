"""One run at a time writes to an org: the lease, who gets it, and who is sent away."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import pytest
from runs.afterwards import at_rest, held, ingest_jobs
from runs.elsewhere import Elsewhere
from runs.org_time import OrgTime, brisk, lease_of, records
from runs.programs import ended
from runs.result import RUN_LOG, Result
from runs.scenarios import SCENARIOS
from runs.stage import CONTACT_ROWS, Stage

from etl.emulator.faults import Fault
from etl.emulator.messages import Request
from etl.emulator.salesforce.refusal import Refusal

ALL_KEYS = {"lease:12345", "lease:67890", "lease:profiles"}


@pytest.fixture
def time(stage: Stage) -> OrgTime:
    """Give the org's time; the stage has one enrolled learner in each portal."""
    stage.enroll(stage.learner())
    stage.enroll(stage.learner(stage.partners), portal=stage.partners)
    return OrgTime(stage)


def sent_away(result: Result, *words: str) -> None:
    """See that a run ended with 75 because another holds the lease, and had written nothing, the log included."""
    assert (result.code, result.report["outcome"]) == (75, "locked"), result.err
    assert (list(result.ledger), result.ingest_jobs) == ([], [])
    for word in (*words, "nothing was written", "run again"):
        assert word in result.err, (word, result.err)


@pytest.mark.fault("R2")
def test_two_starts_at_once(stage: Stage, time: OrgTime, tmp_path: Path) -> None:
    """Of two runs started at once with separate state folders one writes, one ends with 75; the state is one run's."""
    (tmp_path / "calm").mkdir()
    with Stage(tmp_path / "calm") as calm:
        for portal in (calm.academy, calm.partners):
            calm.enroll(calm.learner(portal), portal=portal)
        calm.synced()
        expected = {name: len(rows) for name, rows in held(calm).items()}
    stage.emu.salesforce_faults.add(Fault(match="POST .*/jobs/query", times=None, delay_s=0.4))  # a run takes seconds
    found = ended([Elsewhere(stage, tmp_path / name).start() for name in ("one", "two")])
    assert sorted(code for code, _ in found) == [0, 75], found
    (words,) = [words for code, words in found if code == 75]
    assert "has held lease:12345 in this org since" in words
    assert {name: len(rows) for name, rows in held(stage).items()} == expected
    assert records(stage, "lease:") == {}
    stage.settled()


class _Twins:
    """Lets no ingest job be made until another run asks for the like of it."""

    def __init__(self, stage: Stage) -> None:
        self.met: list[str] = []
        """Objects that both runs have made a job of, once for each run."""
        self._gates = defaultdict[str, threading.Barrier](lambda: threading.Barrier(2))
        self._lock = threading.Lock()
        stage.emu.salesforce_faults.add(Fault(match="^POST .*/jobs/ingest$", times=None, hook=self._wait))

    def _wait(self, request: Request) -> None:
        asked = json.loads(request.body)
        with self._lock:
            gate = self._gates[f"{asked['object']} {asked['operation']}"]
        gate.wait(timeout=30)
        self.met.append(asked["object"])


@pytest.mark.fault("R2")
@pytest.mark.parametrize("scenario", ["first load", "a night of changes"])
def test_two_that_both_get_through(scenario: str, stage: Stage, tmp_path: Path) -> None:
    """Where no lease keeps two runs apart and both write the same rows at once, the state is one run's all the same."""
    (tmp_path / "calm").mkdir()
    with Stage(tmp_path / "calm") as calm:
        SCENARIOS[scenario](calm, lambda: calm.run().code)
        calm.synced()
        expected = held(calm)
    del stage.org.objects[RUN_LOG]
    del stage.org.tables[RUN_LOG]
    SCENARIOS[scenario](stage, lambda: stage.run().code)
    twins, earlier = _Twins(stage), len(ingest_jobs(stage))
    machines = [Elsewhere(stage, tmp_path / name) for name in ("one", "two")]
    found = ended([one.start() for one in machines])
    assert [code for code, _ in found] == [0, 0], found
    jobs = [len(one.reports()[0]["jobs"]) for one in machines]
    assert len(twins.met) == len(ingest_jobs(stage)) - earlier == 2 * jobs[0] == 2 * jobs[1] > 4, (twins.met, jobs)
    assert held(stage) == expected
    at_rest(stage)
    stage.emu.salesforce_faults.clear()
    stage.settled()


def test_a_signal_while_the_lease_is_made_leaves_none(stage: Stage, time: OrgTime) -> None:
    """A run that is told to stop before it hears that its lease was made looks for it and gives it back."""
    unheard = Fault(
        r"POST .*/composite/sobjects$", when="after", delay_s=2.0, reset=True,
        hook=lambda _: os.kill(os.getpid(), signal.SIGTERM),
    )  # fmt: skip
    stage.emu.salesforce_faults.add(unheard)
    result = stage.run()
    assert (result.code, result.ingest_jobs) == (143, []), result.err
    made = [entry for entry in result.ledger if entry.object == RUN_LOG and entry.operation == "create"]
    assert made, "the lease had been made"
    assert records(stage, "lease:") == {}
    assert stage.run().code == 0


def test_a_lease_whose_answer_was_cut_is_found(stage: Stage, time: OrgTime) -> None:
    """Records made with an answer that cannot be read are looked for: the run goes on and gives them back."""
    cut = Fault("POST .*/composite/sobjects", when="mid", close_after_bytes=40, honest_length=False)
    stage.emu.salesforce_faults.add(cut)
    stage.synced()
    assert records(stage, "lease:") == {}


def test_a_living_holder_is_left_in_peace(stage: Stage, time: OrgTime) -> None:
    """A lease whose holder was alive nine minutes ago sends a run away with the holder's id and since when."""
    name = lease_of(stage, "12345", time.text(minutes_ago=9))
    sent_away(stage.run(), "run 20260101T000000Z-dead", "lease:12345", time.text(9)[:15])
    assert stage.org.get(RUN_LOG, name) is not None


def test_a_dead_holder_is_followed(stage: Stage, time: OrgTime) -> None:
    """A lease whose holder gave no sign of life for more than ten minutes is taken over, and the run does its work."""
    lease_of(stage, "12345", time.text(minutes_ago=11))
    lease_of(stage, "profiles", time.text(minutes_ago=600))
    stage.synced()
    assert len(stage.rows(CONTACT_ROWS)) == 2
    assert records(stage, "lease:") == {}


@pytest.mark.parametrize("hours", [-5, 5])
def test_only_the_time_of_salesforce_counts(stage: Stage, time: OrgTime, hours: int) -> None:
    """A machine whose clock is wrong by hours takes no living holder for dead, and a dead one not for living."""
    clock = brisk(wrong_by=timedelta(hours=hours))
    name = lease_of(stage, "12345", time.text(minutes_ago=9))
    sent_away(stage.run("run", clock=clock))
    stage.org.update(RUN_LOG, name, {"Heartbeat_At__c": time.text(minutes_ago=11)})
    assert stage.run("run", clock=clock).code == 0


def test_a_sign_of_life_from_the_future_is_none(stage: Stage, time: OrgTime) -> None:
    """A holder whose stamp lies in the future is judged by when Salesforce saw it last, so nobody is locked out."""
    name = lease_of(stage, "12345", time.text(minutes_ago=-6000))
    sent_away(stage.run())
    time.jump(11)
    assert stage.run().code == 0
    assert stage.org.get(RUN_LOG, name) is None


def test_of_two_takers_one_wins(stage: Stage, time: OrgTime) -> None:
    """Whoever finds the dead one's lease deleted and made anew by another taker is sent away."""
    old = lease_of(stage, "12345", time.text(minutes_ago=11))

    def faster(_: object) -> None:
        stage.org.delete(RUN_LOG, old)
        lease_of(stage, "12345", time.text(), run_id="20260101T000000Z-fast")

    stage.emu.salesforce_faults.add(Fault(match="DELETE .*/composite/sobjects", hook=faster))
    sent_away_by = stage.run()
    assert (sent_away_by.code, "20260101T000000Z-fast" in sent_away_by.err) == (75, True)
    assert sent_away_by.effects == []
    assert [row["Run_Id__c"] for row in records(stage, "lease:").values()] == ["20260101T000000Z-fast"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_about_the_lease(stage: Stage, time: OrgTime, when: str) -> None:
    """When nobody answers whether the lease was made, it is looked up: the run goes on, and gives it back."""
    stage.emu.salesforce_faults.add(Fault(match="POST .*/composite/sobjects$", when=when, reset=True))
    stage.synced()
    assert records(stage, "lease:") == {}
    assert len(records(stage, "run:")) == 1


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("run",), ALL_KEYS),
        (("totals",), ALL_KEYS),
        (("backfill", "--portal", "partners"), {"lease:67890"}),
        (("run", "--portal", "academy"), {"lease:12345"}),
        (("run", "--shard", "1/2"), {"lease:67890"}),
    ],
)
def test_what_a_run_holds(stage: Stage, time: OrgTime, arguments: tuple[str, ...], keys: set[str]) -> None:
    """A run holds its portals, and the profiles when it writes them, from before it reads until it ends."""
    seen: list[set[str]] = []
    stage.before("POST .*/jobs/query", lambda: seen.append(set(records(stage, "lease:"))))
    assert stage.run(*arguments).code == 0
    assert seen == [keys]
    assert records(stage, "lease:") == {}


def test_runs_for_other_portals_go_side_by_side(stage: Stage, time: OrgTime) -> None:
    """While one portal's run is at work, another portal's run works, and a run of all portals is sent away."""
    lease_of(stage, "12345", time.text())
    assert stage.run("run", "--portal", "partners").code == 0
    sent_away(stage.run())
    sent_away(stage.run("totals"))
    assert set(records(stage, "lease:")) == {"lease:12345"}


@pytest.mark.parametrize("arguments", [("plan",), ("run", "--dry-run"), ("totals", "--dry-run")])
def test_who_does_not_write_needs_no_lease(stage: Stage, time: OrgTime, arguments: tuple[str, ...]) -> None:
    """A plan is made whoever holds the lease, and leaves no record."""
    lease_of(stage, "12345", time.text())
    result = stage.run(*arguments)
    assert (result.code, list(result.ledger)) == (0, [])


def test_a_failed_run_gives_the_lease_back(stage: Stage, time: OrgTime) -> None:
    """After a failure the lease is free at once, and the log says how the run ended."""
    body = "<html>not now</html>"
    stage.emu.learnupon_faults.add(Fault(match="/enrollments/search", status=200, body=body, times=None))
    assert stage.run().code == 65
    assert records(stage, "lease:") == {}
    (line,) = records(stage, "run:").values()
    assert (line["Exit_Code__c"], line["Outcome__c"]) == (65, "untrusted")
    assert line["Finished_At__c"] is not None


def test_a_terminated_run_gives_the_lease_back(stage: Stage, time: OrgTime, tmp_path: Path) -> None:
    """SIGTERM in the middle of the reading ends with 143, the lease free and the log closed."""
    machine = Elsewhere(stage, tmp_path / "pod")
    started: list[int] = []
    stage.emu.learnupon_faults.add(Fault(match="/enrollments/search", hook=lambda _: process.terminate(), delay_s=0.5))
    process = machine.start()
    (found,) = ended([process])
    assert found[0] == 143, found
    assert started == []
    assert records(stage, "lease:") == {}
    (line,) = records(stage, "run:").values()
    assert (line["Exit_Code__c"], line["Outcome__c"]) == (143, "interrupted")


def test_a_refused_lease_stops_the_run(stage: Stage, time: OrgTime) -> None:
    """When Salesforce refuses the lease for a reason of its own, nothing is written, and the remedy is named."""
    stage.org.refuse = [Refusal(RUN_LOG, {}, "FIELD_CUSTOM_VALIDATION_EXCEPTION:no")]
    result = stage.run()
    assert (result.code, result.effects) == (77, [])
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION" in result.err


def test_a_full_org_is_served_without_a_lease(stage: Stage, time: OrgTime) -> None:
    """An org without storage left can still have its rows changed and deleted: the run says that it has no lease."""
    stage.org.refuse = [Refusal(RUN_LOG, {}, "STORAGE_LIMIT_EXCEEDED", operations=("create",))]
    result = stage.run()
    assert result.code == 0
    assert "no storage left for a lease" in result.warnings
