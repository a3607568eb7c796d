"""Shards of a run in processes, each with a state folder of its own as a pod has; any can be killed as it writes.

It asserts only that a pod ends as it must; what Salesforce holds then is for the tests to compare.
"""

from __future__ import annotations

import shutil
import signal
from dataclasses import dataclass, field
from typing import Any

from runs.elsewhere import Elsewhere
from runs.org_time import OrgTime
from runs.programs import Program, ended
from runs.stage import Stage

from etl.emulator.faults import Fault
from etl.emulator.messages import Request

ALLOWED = ("--allow-updates", "9000", "--allow-deletes", "9000")
KILLED = -signal.SIGKILL
_LEASE_MINUTES = 11
"""A little more than a lease lasts after its holder's last sign of life."""


@dataclass
class Kill:
    """A SIGKILL for the pod of a portal just before its n-th request about an ingest job (all but their creation)."""

    portal_id: int
    nth: int
    victim: Program | None = None
    _jobs: set[str] = field(default_factory=set)
    _seen: int = 0

    def hook(self, request: Request) -> None:
        """Count the victim's requests, told from others' by the keys in its files, and kill it at the n-th."""
        job = request.path.split("/jobs/ingest/")[1].split("/")[0]
        if request.method == "PUT" and self._is_ours(request.body):
            self._jobs.add(job)
        if job in self._jobs:
            self._seen += 1
            if self._seen == self.nth and self.victim is not None:
                self.victim.kill()

    def _is_ours(self, body: bytes) -> bool:
        return any(line.lstrip(b'"').startswith(b"%d" % self.portal_id) for line in body.splitlines()[1:])


class Pods:
    """The pods of one night over a stage of several portals."""

    def __init__(self, stage: Stage) -> None:
        """Start none."""
        self.stage = stage
        self.time = OrgTime(stage)
        self.count = len(stage.settings["portals"])
        self._made = 0

    def _pod(self) -> Elsewhere:
        """Return a machine that nobody has used."""
        self._made += 1
        return Elsewhere(self.stage, self.stage.folder / f"pod{self._made}")

    def start(self, *arguments: str, index: int | None = None) -> Program:
        """Start the program in a new pod; `index` is what Kubernetes would tell it."""
        environ = {} if index is None else {"JOB_COMPLETION_INDEX": str(index)}
        return self._pod().start(*arguments, *ALLOWED, environ=environ)

    def shard(self, index: int) -> Program:
        """Start a shard, every second of them with the number that Kubernetes puts around."""
        shard = f"{index}/{self.count}" if index % 2 else f"/{self.count}"
        return self.start("run", "--shard", shard, index=index)

    def portal(self, index: int) -> Program:
        """Start a run of one portal by its name."""
        return self.start("run", "--portal", self.stage.settings["portals"][index]["name"])

    def totals(self) -> None:
        """Run `totals`, alone."""
        ((code, words),) = ended([self._pod().start("totals", *ALLOWED[:2])])
        assert code == 0, words

    def all_at_once(self, *kills: Kill, by_name: bool = False) -> list[int]:
        """Run every shard at the same time, some to be killed, and try again those that were until all have ended.

        Returns the exit codes of the first tries. A dead pod's lease is waited for, as its retries would.
        """
        begin = self.portal if by_name else self.shard
        faults = self.stage.emu.salesforce_faults
        for kill in kills:
            faults.add(Fault(match=r"^\w+ \S*/jobs/ingest/\w", times=None, hook=kill.hook))
        pods = [begin(index) for index in range(self.count)]
        ids = [portal["portal_id"] for portal in self.stage.settings["portals"]]
        for kill in kills:
            kill.victim = pods[ids.index(kill.portal_id)]
        first = ended(pods)
        faults.clear()
        assert {code for code, _ in first} <= {0, KILLED}, first
        again = [index for index, (code, _) in enumerate(first) if code == KILLED]
        if again:
            self.time.jump(_LEASE_MINUTES)
            second = ended([begin(index) for index in again])
            assert {code for code, _ in second} == {0}, second
        return [code for code, _ in first]

    def forget(self) -> None:
        """Throw the pods' disks away."""
        self.stage.canaries.check()
        for folder in self.stage.folder.glob("pod*"):
            shutil.rmtree(folder)

    def effects(self, since: int) -> list[Any]:
        """Return what was done to records, but for the run log, after so many effects."""
        return [one for one in self.stage.ledger.entries[since:] if one.object != "LearnUpon_Sync_Run__c"]
