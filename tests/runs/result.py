"""What one call of the program did, as seen from outside: exit code, words, report, files, ledger and requests."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from etl.emulator.ledger import Entry
from etl.emulator.server import Call

RUN_LOG = "LearnUpon_Sync_Run__c"
_READS = ("/services/oauth2/", "/jobs/query")
_RUN_LOG_CALLS = "/composite/sobjects"
"""Only the lease and the run log are written by this resource: `effects` shows what was written by any."""
_OTHERS = ("cascade", "merge")
"""Sources of effects that no job asked for: details of what was deleted, and a person who merges Contacts."""
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Result:
    """One call of the program."""

    code: int
    out: str
    err: str
    folder: Path | None
    """The run's folder below `state_dir`, if it left one."""
    ledger: tuple[Entry, ...]
    """Effects on Salesforce records of jobs that this call made, the run log's included."""
    learnupon_calls: tuple[Call, ...]
    salesforce_calls: tuple[Call, ...]
    found_gone: Mapping[str, int] = field(default_factory=dict)
    """By object: how many rows jobs of this call were to delete and were told that they are deleted already."""

    @cached_property
    def report(self) -> dict[str, Any]:
        """Return report.json, or what `--json` printed where the disk did not take it; AssertionError without one."""
        assert self.folder is not None, self.err
        path = self.folder / "report.json"
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8") if path.is_file() else self.out)
        return report

    @property
    def reported(self) -> bool:
        """Return whether the call made a report: a run that could not even begin has a folder and none."""
        return self.folder is not None and ((self.folder / "report.json").is_file() or self.out.startswith("{"))

    @property
    def effects(self) -> list[Entry]:
        """Return the effects on records, without the run log."""
        return [entry for entry in self.ledger if entry.object != RUN_LOG and entry.source not in _OTHERS]

    def sent(self, name: str) -> dict[str, dict[str, Any]]:
        """Return what was written to an object: key (people: Id) to the columns that were sent (deletes: empty)."""
        return {str(entry.key or entry.id): entry.after for entry in self.effects if entry.object == name}

    def done(self, name: str, operation: str) -> list[str]:
        """Return the keys (people: Ids) of an object's rows that were created, updated or deleted, sorted."""
        found = (one for one in self.effects if (one.object, one.operation) == (name, operation))
        return sorted(str(one.key or one.id) for one in found)

    def counts(self, name: str) -> dict[str, int]:
        """Return an object's counts from the report."""
        counts: dict[str, int] = self.report["objects"][name]
        return counts

    def table(self, name: str) -> list[dict[str, str]]:
        """Return the lines of one of the run's CSV files; none without the file."""
        path = self.folder / name if self.folder else Path(name)
        if not path.is_file():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def reasons(self, name: str) -> dict[str, str]:
        """Return the keys of an object's rows that were to be deleted, with the reason as the run's list gives it."""
        lines = self.table(f"changes/{name}.csv")
        return {line["key"]: line["reason"] for line in lines if line["action"] == "delete"}

    @property
    def unmatched(self) -> dict[tuple[str, int], str]:
        """Return portal name and LearnUpon user id of those left out, with the reason's code."""
        lines = self.table("unmatched.csv")
        return {(line["portal"], int(line["learner_id"])): line["reason"] for line in lines}

    @property
    def warnings(self) -> str:
        """Return the report's warnings, a line each."""
        return "\n".join(self.report["warnings"])

    @property
    def ingest_jobs(self) -> list[str]:
        """Return the requests that made an ingest job."""
        posts = (call.target for call in self.salesforce_calls if call.method == "POST")
        return [target for target in posts if urlsplit(target).path.rstrip("/").endswith("/jobs/ingest")]

    @property
    def writing_calls(self) -> list[str]:
        """Return requests to Salesforce that could write: all but reads, sign-in, query jobs, and the run log."""
        return [
            f"{call.method} {call.target}"
            for call in self.salesforce_calls
            if call.method in _WRITES and not any(part in call.target for part in (*_READS, _RUN_LOG_CALLS))
        ]

    def asked(self, part: str) -> list[str]:
        """Return the requests to LearnUpon whose target contains a text."""
        return [call.target for call in self.learnupon_calls if part in call.target]
