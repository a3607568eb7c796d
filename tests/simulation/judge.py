"""What must hold after every run and at the end of a story; it looks, and changes nothing.

The names in capitals are those of the fault catalogue's invariants.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runs.afterwards import at_rest
from runs.result import Result
from simulation.model import expected
from simulation.night import Night
from simulation.ours import KEY, ROWS, State, observed

from etl.emulator.ledger import Entry

KNOWN_CODES = {0, 1, 3, 65, 69, 75, 77, 78}
UNTOUCHED = {3, 65, 78}
"""Codes that say that nothing was written."""
MOST_CALLS = 3_000
_TABLES = {"enrollment": "enrollments", "path": "path_enrollments"}
_SIDES = {name: kind for kind, sides in ROWS.items() for name in sides.values()}


class Before:
    """How things stood before a run: what the org should become, and where the ledger was."""

    def __init__(self, stage: Night) -> None:
        """Look."""
        entries = stage.ledger.entries
        self.seq = entries[-1].seq if entries else 0
        self.target = expected(stage.store, stage.org)
        self.since_s = stage.clockwork.monotonic()


class Judge:
    """Judges the runs of one story; raises AssertionError with what is wrong."""

    def __init__(self, stage: Night) -> None:
        """Know the stage, and the secrets that no output may show."""
        self.stage = stage
        portals = [str(portal.password) for portal in stage.store.portals.values()]
        sessions = stage.org.sessions
        self._secrets = [sessions.client_secret, stage.org.access_token, *portals]
        self._asked: set[str] = set()
        self._unenrolled: set[tuple[str, int]] = set()

    def one_run(
        self,
        before: Before,
        result: Result | None,
        *,
        disturbed: bool,
        touched: bool,
        died: bool,
        deceived: bool = False,
        lifted: bool = False,
    ) -> None:
        """Judge one run: `disturbed` by faults, `touched` by people meanwhile, `died`: a run was killed before.

        `deceived`: LearnUpon told a lie that nobody could see through. `lifted`: a person lifted the guards.
        """
        stage = self.stage
        after = expected(stage.store, stage.org)
        self._asked.update(f"{call.target.split('?')[0]}" for call in stage.emu.learnupon.calls)
        deletes = [one for one in stage.ledger.since(before.seq) if (one.operation, one.source) == ("delete", "bulk")]
        most = stage.settings["guards"]["max_deletes"]
        assert lifted or len(deletes) <= most, f"I-GUARD-BOUND: {len(deletes)} deletes, {most} are allowed"
        for entry in deletes:
            if entry.object in _SIDES:
                self._deserved(entry, before.target, after, touched=touched)
        if result is None:
            return
        code, told = result.code, result.out + result.err
        assert code in KNOWN_CODES, f"exit {code}: {told}"
        if code in UNTOUCHED:
            assert not result.effects, f"I-GUARD-ATOMIC: exit {code}, yet {result.effects[:3]}"
        if not disturbed and not touched:
            allowed = {0, 3, 75} if died else {0, 3}
            assert code in allowed, f"nothing went wrong, yet exit {code}: {told}"
        if code == 0 and not touched and not deceived:
            self.same(before.target, "exit 0")
        if code == 1:
            assert result.table("refused.csv"), "I-HONEST: exit 1, yet no row is named as refused"
        for secret in self._secrets:
            assert secret not in told, "I-SECRET: a secret in what the program says"
        assert len(result.learnupon_calls) + len(result.salesforce_calls) <= MOST_CALLS, "I-BOUNDED"

    def _deserved(self, entry: Entry, before: State, after: State, *, touched: bool) -> None:
        """See that a deleted row was to be deleted, and that LearnUpon was asked where a listing alone is no proof."""
        key = str(entry.key)
        wanted = key in before[entry.object] and (key in after[entry.object] or not touched)
        assert not wanted, f"I-NOWRONGDEL: {entry.object} {key} was deleted, LearnUpon has it"
        portal_id, kind, number = key.split(":")
        portal = next(one for one in self.stage.store.portals.values() if str(one.portal_id) == portal_id)
        row = getattr(portal, _TABLES[kind]).get(int(number))
        elsewhere = any(key in self._keys(name) for name in ROWS[kind].values() if name != entry.object)
        if row is None and not elsewhere:
            head = "enrollments" if kind == "enrollment" else "learning_path_enrollments"
            listed = bool(entry.before.get("LUUser__c")) and touched
            asked = f"/{portal.name}/api/v1/{head}/{number}" in self._asked
            assert asked or listed, f"I-CONFIRM: {key} was deleted unasked"

    def _keys(self, name: str) -> set[str]:
        return {str(row.get(KEY)) for row in self.stage.org.tables[name].rows.values()}

    def same(self, target: State, when: str) -> None:
        """See that the org is what it should be, field by field."""
        found = observed(self.stage.org)
        unlike = [line for name in target for line in _unlike(name, target[name], found[name])]
        assert not unlike, f"not what {when} demanded, {len(unlike)} rows: {'; '.join(unlike[:5])}"

    def at_the_end(self, *, touched: bool) -> None:
        """See that nothing is left open, nothing was made twice, and no file holds a secret."""
        if touched:
            for job in self._jobs():
                assert job.state in {"JobComplete", "Failed", "Aborted"}, f"I-NOORPHAN: {job.id} is {job.state}"
        else:
            at_rest(self.stage)
        for path in self.stage.state_dir.rglob("*"):
            if path.is_file():
                self._no_secret(path)

    def _jobs(self) -> list[Any]:
        app: Any = self.stage.emu.salesforce.app
        return [job for job in app.bulk.jobs.by_id.values() if job.kind == "V2Ingest"]

    def _no_secret(self, path: Path) -> None:
        data = path.read_bytes()
        for secret in self._secrets:
            assert secret.encode() not in data, f"I-SECRET: a secret in {path.name}"


def _unlike(name: str, wanted: dict[str, dict[str, Any]], found: dict[str, dict[str, Any]]) -> list[str]:
    lines = [f"{name} {key} is missing" for key in wanted.keys() - found.keys()]
    lines += [f"{name} {key} should not be there" for key in found.keys() - wanted.keys()]
    for key in wanted.keys() & found.keys():
        differs = {
            one: (found[key].get(one), value) for one, value in wanted[key].items() if found[key].get(one) != value
        }
        if differs:
            lines.append(f"{name} {key}: is and should be {differs}")
    return sorted(lines)
