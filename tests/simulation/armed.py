"""Mishaps armed on the emulators, and what people do while a run is at work; it draws and judges nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from simulation.judge import Trouble
from simulation.mishaps import LISTINGS, QUESTIONS, SALESFORCE, Mishap
from simulation.night import Night
from simulation.world import happen

from etl.emulator.faults import Fault
from etl.emulator.salesforce.refusal import Refusal

_HTML = "<html><body>Down for maintenance</body></html>"
_NOT_NOW = ('{"message":"not now"}', '[{"errorCode":"SERVER_UNAVAILABLE","message":"not now"}]')


@dataclass
class Armed:
    """The mishaps of one run on the stage, and what came of them."""

    stage: Night
    touched: bool = False
    """Whether somebody changed something while the run was at work."""
    deceived: bool = False
    fired: list[str] = field(default_factory=list)
    struck: set[Mishap] = field(default_factory=set)

    @property
    def hangs(self) -> bool:
        """Return whether a job hangs that will not go on by itself."""
        return "job stuck for ever" in self.fired

    def trouble(self, *, died: bool, hangs: bool, lifted: bool = False) -> Trouble:
        """Return what befell the run, as the judge is told; the rest is what came of the runs before."""
        return Trouble(frozenset(self.struck), self.touched, self.deceived, died, hangs, lifted)

    def arm(self, mishap: Mishap) -> None:
        """Let it happen when its request comes."""
        vendor = self.stage.emu.salesforce_faults if mishap.kind in SALESFORCE else self.stage.emu.learnupon_faults
        match = (LISTINGS | QUESTIONS | SALESFORCE)[mishap.kind]
        name = f"{mishap.what}{f' {mishap.detail}' if mishap.what in {'job', 'page'} else ''}"

        def note(request: Any) -> None:
            self.fired.append(name)
            self.struck.add(mishap)
            self._act(mishap, request)

        vendor.add(Fault(match, nth=mishap.nth, times=mishap.times, hook=note, **_effects(mishap)))

    def _act(self, mishap: Mishap, request: Any) -> None:
        """Do what no answer could: somebody changes something, or the org behaves in another way."""
        org, what, detail = self.stage.org, mishap.what, mishap.detail
        if mishap.disturbs:
            self.touched = True
        self.deceived = self.deceived or mishap.deceives
        if what in {"admin", "learner"}:
            happen(self.stage, detail)
        elif what == "rows move":
            self._move_rows(*detail)
        elif what == "session expires":
            org.expire_sessions()
        elif what == "quota":
            org.limits["DailyApiRequests"]["Remaining"] = detail
        elif what == "refusal":
            name, error, operations = detail
            org.refuse.append(Refusal(name, {}, error, mishap.times, operations))
        elif what == "lease":
            self._lease(detail)
        elif what == "slow":
            server = self.stage.emu.salesforce if mishap.kind in SALESFORCE else self.stage.emu.learnupon
            server.sleep(detail)
        elif what == "job":
            self._job(detail, request.path.rpartition("/")[2])

    def _move_rows(self, how: str, number: int) -> None:
        dice = Random(number)
        portal = dice.choice(list(self.stage.store.portals.values()))
        rows = list(portal.enrollments)
        if how == "insert" and portal.users and portal.courses:
            self.stage.enroll(dice.choice(list(portal.users)), dice.choice(list(portal.courses)), portal)
        elif rows and how == "remove":
            portal.remove_enrollment(dice.choice(rows))
        elif rows:
            self.stage.store.knobs.order = dice.choice(["id_desc", "updated_at"])
            portal.change_enrollment(dice.choice(rows), percentage=dice.randint(0, 99))

    def _lease(self, how: str) -> None:
        org = self.stage.org
        for row in org.rows("LearnUpon_Sync_Run__c"):
            if str(row["LU_Key__c"]).startswith("lease:"):
                if how == "deleted":
                    org.delete("LearnUpon_Sync_Run__c", row["Id"], record=False)
                else:
                    old = {"Heartbeat_At__c": "2026-01-01T00:00:00.000Z"}
                    org.update("LearnUpon_Sync_Run__c", row["Id"], old, record=False)

    def _job(self, how: str, job_id: str) -> None:
        org: Any = self.stage.org
        if how.startswith("stuck"):
            org.stuck_jobs = 1
        elif how.startswith("fails"):
            org.fail_jobs_after_rows = 0 if how.endswith("once") else 1
        elif how == "aborted by a person":
            jobs: Any = self.stage.emu.salesforce.app
            job = jobs.bulk.jobs.by_id.get(job_id)
            if job is not None and job.state == "Open":
                job.move("Aborted")

    def calm(self, *, at_last: bool) -> int:
        """End what goes wrong; jobs that hang go on, those that hang for ever only `at_last`.

        Returns how many requests arrived only now, after the run that sent them.
        """
        org = self.stage.org
        self.stage.emu.salesforce_faults.clear()
        self.stage.emu.learnupon_faults.clear()
        org.refuse, org.fail_jobs_after_rows, org.stuck_jobs = [], None, 0
        org.limits["DailyApiRequests"]["Remaining"] = 1_000_000
        if at_last or not self.hangs:
            org.unstick()
        return self.stage.wire.settle()


def _effects(mishap: Mishap) -> dict[str, Any]:
    """Return what the answer suffers, as the emulators' faults say it."""
    what, detail = mishap.what, mishap.detail
    if what in {"status", "status after"}:
        status, wait = detail
        body = _NOT_NOW[mishap.kind in SALESFORCE]
        headers = {"Retry-After": wait} if wait is not None else {}
        return {
            "status": status,
            "body": body,
            "headers": headers,
            "when": "after" if what == "status after" else "before",
        }
    if what == "cut":
        return {"when": "mid", "close_after_bytes": detail[0], "honest_length": detail[1]}
    if what == "page":
        return _PAGES[detail]
    if what == "count":
        name = "Sforce-NumberOfRecords"
        return {"when": "mid", "drop_headers": [name]} if detail is None else {"when": "mid", "headers": {name: detail}}
    answers: dict[str, dict[str, Any]] = {
        "html": {"status": 200, "body": _HTML},
        "reset": {"reset": True},
        "answer lost": {"reset": True, "when": "after"},
        "short upload": {"truncate_request": detail},
    }
    return answers.get(what, {})


_PAGES: dict[str, dict[str, Any]] = {
    "no header": {"when": "mid", "drop_headers": ["LU-Has-Next-Page"]},
    "stuck header": {"when": "mid", "headers": {"LU-Has-Next-Page": "true"}},
    "empty": {
        "when": "mid", "body": '{"user":[],"courses":[],"learning_paths":[],"enrollments":[],"portals":[]}',
        "headers": {"LU-Has-Next-Page": "false"},
    },
    "no list": {"when": "mid", "body": '{"items":[]}'},
    "another list": {"when": "mid", "replace": ('"enrollments"', '"enrolments"')},
    "first page again": {"when": "mid", "headers": {"LU-Current-Page": "1", "LU-Has-Next-Page": "true"}},
}  # fmt: skip
