"""What must hold after every run and at the end of a story; it looks, and changes nothing.

The names in capitals are those of the fault catalogue's invariants. What exit codes say: see `codes.py`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from runs.afterwards import at_rest, ingest_jobs
from runs.result import RUN_LOG, Result
from runs.stage import MEMBERSHIP
from simulation import codes
from simulation.mishaps import Mishap
from simulation.model import expected
from simulation.night import Night
from simulation.ours import KEY, OWN, REMOVED, ROWS, State, flags, observed, unlike

from etl.emulator.ledger import Entry

MOST_CALLS = 3_000
_RESOURCES = {"enrollment": "enrollments", "path": "learning_path_enrollments", "member": "users"}
_TABLES = {"enrollment": "enrollments", "path": "path_enrollments", "member": "users"}
_ENDED = {"JobComplete", "Failed", "Aborted"}


@dataclass(frozen=True)
class Trouble:
    """What befell a run."""

    struck: frozenset[Mishap] = frozenset()
    touched: bool = False
    """Whether people changed something meanwhile."""
    deceived: bool = False
    """Whether LearnUpon told a lie that nobody could see through."""
    died: bool = False
    """Whether a run was killed before."""
    hangs: bool = False
    """Whether a job of an earlier run hangs."""
    lifted: bool = False
    """Whether a person lifted the guards."""


class Before:
    """How things stood before a run: what the org should become, what LearnUpon has, and where the ledger was."""

    def __init__(self, stage: Night) -> None:
        """Look."""
        entries = stage.ledger.entries
        self.seq = entries[-1].seq if entries else 0
        self.target = expected(stage.store, stage.org)
        self.wanted = codes.deletes(observed(stage.org), self.target)
        self.there = {
            f"{portal.portal_id}:{kind}:{number}"
            for portal in stage.store.portals.values()
            for kind, table in _TABLES.items()
            for number in getattr(portal, table)
        }


class Judge:
    """Judges the runs of one story; raises AssertionError with what is wrong."""

    def __init__(self, stage: Night) -> None:
        """Know the stage, and the secrets that no output may show."""
        self.stage = stage
        portals = [str(portal.password) for portal in stage.store.portals.values()]
        sessions = stage.org.sessions
        self._secrets = [sessions.client_secret, stage.org.access_token, *portals]
        self._said: dict[str, frozenset[str]] = {}
        """Job to what LearnUpon had said was gone in the run that made it."""

    def one_run(self, before: Before, result: Result | None, trouble: Trouble) -> None:
        """Judge one run; no result: it was killed."""
        stage = self.stage
        written = [one for one in stage.ledger.since(before.seq) if one.source == "bulk"]
        for job in ingest_jobs(stage):
            self._said.setdefault(job.id, stage.witness.said(stage.emu.learnupon.calls))
        judged = [one for one in written if one.object in OWN and (one.operation == "delete" or flags(one))]
        after = expected(stage.store, stage.org, judged[::-1])
        for entry in judged:
            self._deserved(entry, before, after, touched=trouble.touched)
        deletes = sum(entry.operation == "delete" for entry in judged)
        most = stage.settings["guards"]["max_deletes"]
        assert trouble.lifted or deletes <= most, f"I-GUARD-BOUND: {deletes} deletes, {most} are allowed"
        _once(written)
        if result is None:
            return
        wanted = {before.wanted, *([codes.deletes(observed(stage.org), after)] if trouble.touched else [])}
        self._code(before.target, result, trouble, wanted)
        for secret in self._secrets:
            assert secret not in result.out + result.err, "I-SECRET: a secret in what the program says"
        assert len(result.learnupon_calls) + len(result.salesforce_calls) <= MOST_CALLS, "I-BOUNDED"

    def _code(self, target: State, result: Result, trouble: Trouble, wanted: set[int]) -> None:
        """See that the exit code tells the truth."""
        alone = not (trouble.touched or trouble.died or trouble.hangs)
        codes.known(result)
        if not trouble.struck and not trouble.touched and not trouble.hangs:
            codes.undisturbed(result, died=trouble.died)
        elif len(trouble.struck) == 1 and alone:
            codes.of_one(result, *trouble.struck)
        if result.code == 3:
            assert not trouble.lifted, "I-LIVE: a guard that a person lifted stopped the run"
            codes.guarded(result, self.stage, wanted)
        if trouble.touched or trouble.deceived:
            return
        if result.code == 0:
            self.same(target, "exit 0")
        if result.code == 1:
            codes.refused(result, target, observed(self.stage.org))

    def _deserved(self, entry: Entry, before: Before, after: State, *, touched: bool) -> None:
        """See that a row was to be deleted or flagged, and LearnUpon asked where a listing alone is no proof.

        While people are at work either moment will do. `after` is told as if the run had left the row alone: a row
        that it took itself proves nothing.
        """
        name, key = entry.object, str(entry.key)
        states = (before.target, *([after] if touched else []))
        if entry.operation == "delete":
            right = any(key not in state[name] for state in states)
            assert right, f"I-NOWRONGDEL: {name} {key} was deleted, it is to stay"
        else:
            right = any(state[name].get(key, {}).get(REMOVED) for state in states)
            assert right, f"I-NOWRONGDEL: {name} {key} was flagged, LearnUpon has it"
        portal_id, kind, number = key.split(":")
        portal = next(one for one in self.stage.store.portals.values() if str(one.portal_id) == portal_id)
        sides = ROWS[kind].values() if kind in ROWS else (MEMBERSHIP,)
        elsewhere = any(key in self._keys(side) for side in sides if side != name)
        if int(number) in getattr(portal, _TABLES[kind]) or elsewhere:
            return
        path = f"/{portal.name}/api/v1/{_RESOURCES[kind]}/{number}"
        listed = touched and key in before.there
        asked = path in self._said.get(entry.job_id or "", ())
        assert asked or listed, f"I-CONFIRM: {name} {key} was {entry.operation}d unasked"

    def _keys(self, name: str) -> set[str]:
        return {str(row.get(KEY)) for row in self.stage.org.tables[name].rows.values()}

    def same(self, target: State, when: str) -> None:
        """See that the org is what it should be, field by field."""
        found = observed(self.stage.org)
        wrong = [line for name in target for line in unlike(name, target[name], found[name])]
        assert not wrong, f"not what {when} demanded, {len(wrong)} rows: {'; '.join(wrong[:5])}"

    def at_the_end(self, *, touched: bool) -> None:
        """See that nothing is left open, nothing was made or deleted twice, and no file holds a secret."""
        if touched:
            for job in ingest_jobs(self.stage):
                assert job.state in _ENDED, f"I-NOORPHAN: {job.id} is {job.state}"
            self._twice()
        else:
            at_rest(self.stage)
        for path in self.stage.state_dir.rglob("*"):
            if path.is_file():
                self._no_secret(path)

    def _twice(self) -> None:
        """See that no row was made again while it was there; people delete rows too, and those are made anew."""
        made: dict[tuple[str, str], str] = {}
        deleted: set[str] = set()
        for entry in self.stage.ledger.entries:
            place = entry.object, str(entry.key)
            if entry.operation == "create" and entry.object in OWN:
                there = made.get(place) in self.stage.org.tables[entry.object].rows
                assert not there, f"I-NODUP: {place} was created twice"
                made[place] = entry.id
            elif entry.operation == "delete":
                assert entry.id not in deleted, f"I-NODUP: {place} was deleted twice"
                deleted.add(entry.id)

    def _no_secret(self, path: Path) -> None:
        data = path.read_bytes()
        for secret in self._secrets:
            assert secret.encode() not in data, f"I-SECRET: a secret in {path.name}"


def _once(written: list[Entry]) -> None:
    """See that one run made and deleted each row at most once, whoever was at work beside it."""
    times = Counter((one.object, one.operation, one.key) for one in written if one.object != RUN_LOG and one.key)
    twice = [what for what, number in times.items() if number > 1 and what[1] in {"create", "delete"}]
    assert not twice, f"I-NODUP: done twice in one run: {twice[:3]}"
