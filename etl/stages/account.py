"""The record of a run as it goes: what was read, planned and written becomes the report, whatever stops the run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import pandas as pd

from etl import guards, keys
from etl.clock import Clock, Stopped
from etl.errors import BUG, GuardTripped, Interrupted, OutcomeUnknown, SyncError, TryLater
from etl.interrupt import Signalled
from etl.learnupon import PortalRead
from etl.plan import Plan
from etl.report import wording
from etl.report.model import GuardLine, ObjectCounts, PortalLine, Report
from etl.report.samples import sample_changes
from etl.salesforce.ingest import Recorder
from etl.salesforce.load import Load
from etl.salesforce.org import Org
from etl.stages.extract import Portals
from etl.stages.held import Held
from etl.stages.job import Job

COLUMNS = ["object", "key", "operation", "code", "message"]
_NAMES = ["user_id", "sf_contact_id", "sf_user_id", "first_name", "last_name", "email"]


class Tenure(Protocol):
    """A run's lease on the org and its line in the run log (`etl.stages.tenure`)."""

    lost: TryLater | None

    def fence(self, journal: Recorder) -> Recorder:
        """Return a journal that lets nothing be written once the lease is lost."""

    def end(self, report: Report, clock: Clock) -> list[str]:
        """Close the log, give the lease back, and return warnings."""


class Record:
    """What is known of a run so far."""

    def __init__(self, job: Job) -> None:
        """Begin with nothing but the portals' names."""
        self._job = job
        self._began = job.clock.monotonic()
        self._org: Org | None = None
        self._portals: Portals | None = None
        self._tenure: Tenure | None = None
        self._notes: list[str] = []
        self.plan = Plan({}, pd.DataFrame({"object": [], "key": [], "reason": []}, dtype="string[pyarrow]"))
        self.refused = pd.DataFrame({name: [] for name in COLUMNS}, dtype="string[pyarrow]")
        """Rows Salesforce refused, or that were not there when read back."""
        self.unmatched: list[tuple[str, pd.DataFrame]] = []
        self.show_names = job.settings.report.show_names
        allowed = {"allow_deletes": job.allowed.deletes, "allow_updates": job.allowed.updates}
        self.report = Report(
            run_id=job.run_id,
            command=job.command,
            dry_run=not job.writes,
            started_at=job.clock.now(),
            portals=[PortalLine(portal.name, portal.portal_id) for portal in job.portals],
            overrides={name: rows for name, rows in allowed.items() if rows is not None},
            show_values=job.show_values,
        )

    def follow(self, org: Org) -> None:
        """Count this org's requests from now on, and name it."""
        self._org = org
        self.report.org_id = org.org_id

    def follow_portals(self, portals: Portals) -> None:
        """Count these portals' requests from now on."""
        self._portals = portals

    def hold(self, tenure: Tenure) -> None:
        """Have the lease and the run log ended with this record, however the run ends."""
        self._tenure = tenure

    @property
    def may_have_run_log(self) -> bool:
        """Return whether the org may have the run object: a run that writes has looked, others have not."""
        return self._tenure is not None or not self._job.writes

    def fenced(self, journal: Recorder) -> Recorder:
        """Return a journal that lets nothing be written once the run's lease is lost."""
        return self._tenure.fence(journal) if self._tenure else journal

    def reason(self, error: BaseException) -> SyncError | None:
        """Return what stopped the run, None for a bug: threads that were stopped may have been so for a lost lease."""
        if isinstance(error, Signalled):
            return Interrupted(error.signum)
        if isinstance(error, Stopped) and self._tenure is not None:
            return self._tenure.lost
        return error if isinstance(error, SyncError) else None

    def note(self, lines: Sequence[str]) -> None:
        """Keep lines that the report shows among its warnings."""
        self._notes.extend(lines)
        self.report.warnings.extend(lines)

    def expect(self, side: str, calls: int) -> None:
        """Note how many requests to a side (`learnupon`, `salesforce`) are expected in all."""
        self.report.calls_expected[side] = calls

    def count_calls(self) -> None:
        """Bring the numbers of requests up to date, and what is left of the allowances."""
        left = {
            "learnupon": self._portals.week_left if self._portals else None,
            "salesforce": self._org.requests_left if self._org else None,
        }
        self.report.calls_left = {side: calls for side, calls in left.items() if calls is not None}
        self.report.api_calls = {
            "learnupon": self._portals.calls if self._portals else 0,
            "salesforce": self._org.calls if self._org else 0,
        }

    def read(self, reads: Sequence[PortalRead]) -> None:
        """Note that these portals were read completely."""
        for line, portal in zip(self.report.portals, reads, strict=True):
            line.learners = len(portal.users)
            line.complete = True

    def held(self, held: Held) -> None:
        """Note how the rows of each object of Salesforce were read."""
        self.report.reads = dict(held.ways)
        self.note(held.warnings)

    def matched(self, learners: pd.DataFrame) -> None:
        """Note who is matched and who is not, and why."""
        place = keys.places(learners["learner"])
        for number, line in enumerate(self.report.portals):
            mine = learners[place == number]
            line.learners = len(mine)
            line.matched = int(mine["side"].notna().sum())
            line.unmatched = line.learners - line.matched
            self.unmatched.append((line.name, mine.loc[mine["reason"].notna(), [*_NAMES, "reason"]]))
        reasons = learners["reason"].dropna().value_counts()
        self.report.unmatched_reasons = {str(reason): int(number) for reason, number in reasons.items()}

    def planned(self, plan: Plan) -> None:
        """Note the plan: counts, guards, warnings, a sample."""
        self.plan = plan
        self.report.warnings = [*self._notes, *plan.warnings]
        self.report.guards = [
            GuardLine(one.name, one.value, one.limit, one.tripped, one.overridden, one.where) for one in plan.guards
        ]
        self.report.objects = {name: ObjectCounts(**vars(part.counts)) for name, part in plan.entities.items()}
        self.report.samples = sample_changes(plan.entities)
        self._count_refusals()

    def wrote(self, load: Load) -> None:
        """Note what became of the writes."""
        for name, written in load.written.items():
            for what, rows in vars(written).items():
                setattr(self.report.objects[name], what, rows)
        self.report.jobs = list(load.jobs)
        self.refused = load.refusals[COLUMNS]
        self._count_refusals()

    def read_back(self, unlike: pd.DataFrame) -> None:
        """Note the rows that were not there as they had been written."""
        self.refused = pd.concat([self.refused, unlike], ignore_index=True)
        if len(unlike):
            self.report.warnings.append(
                f"{len(unlike):,} rows were not in Salesforce as they had been written when read back; see refused.csv"
            )
        self._count_refusals()

    def _count_refusals(self) -> None:
        codes = self.refused["code"].value_counts().to_dict()
        if len(self.plan.rejected):
            codes["rejected"] = len(self.plan.rejected)
        self.report.refused_reasons = {str(code): int(rows) for code, rows in codes.items()}

    def stop_if_unknown(self) -> None:
        """Raise OutcomeUnknown when Salesforce named fewer rows than were sent: never is that a clean end."""
        unknown = self.report.totals.unknown
        if unknown:
            raise OutcomeUnknown(
                f"of {unknown:,} rows sent Salesforce did not say what became (jobs {', '.join(self.report.jobs)}); "
                "all else was written; run again: the next run compares anew and sends what is missing"
            )

    @property
    def has_refusals(self) -> bool:
        """Return whether any row was refused by Salesforce, or rejected before it was sent."""
        return bool(self.report.refused_reasons)

    def end(self, exit_code: int, outcome: str, error: str = "") -> Report:
        """Close the record: how the run ended, and when. Ends its lease, and the connections it follows."""
        self.report.exit_code = exit_code
        self.report.outcome = outcome
        self.report.error = error
        if self._tenure is not None:
            self.note(self._given_back(self._tenure))
        self.count_calls()
        for followed in (self._org, self._portals):
            if followed is not None:
                followed.close()
        self.report.finished_at = self._job.clock.now()
        if exit_code != BUG:  # after a bug nothing is relied on that is not needed
            self.report.took_s = self._job.clock.monotonic() - self._began
        return self.report

    def _given_back(self, tenure: Tenure) -> list[str]:
        try:
            return tenure.end(self.report, self._job.clock)
        except Exception as bug:  # after a bug the report is written whatever else goes wrong
            if self.report.exit_code != BUG:
                raise
            return [f"the lease could not be given back ({type(bug).__name__}); it ends by itself"]

    @property
    def server_time(self) -> datetime | None:
        """Return the time by Salesforce's clock once the record is closed; None when Salesforce was not reached."""
        if self._org is None:
            return None
        self._org.clock = self._job.clock  # one that runs on when the run was stopped
        return self._org.server_time()


def stop_if_tripped(plan: Plan) -> None:
    """Raise GuardTripped, with every tripped guard's numbers and what to do, before anything is written."""
    if not plan.tripped:
        return
    deletes = sum(load.deletes for load in plan.loads.values())
    updates = sum(load.updates for load in plan.loads.values())
    lines = [
        f"{one.name}: {wording.number(one.value)} is over {wording.number(one.limit)}"
        f"{f' ({one.where})' if one.where else ''}; {guards.remedy(one, deletes, updates)}"
        for one in plan.tripped
    ]
    raise GuardTripped("nothing was written: " + "; ".join(lines))
