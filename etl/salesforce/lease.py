"""The lease: records whose unique keys let one run at a time write; it starts no thread and decides no outcome.

Pods share no disk, so Salesforce itself must keep two runs apart: a record with a fixed `LU_Key__c` can be made only
once (unique, case-sensitive external id), so of two runs that make it at the same moment one is refused. A lease whose
holder gave no sign of life for `MARGIN`, by Salesforce's clock, is deleted by its record id and made anew: several may
delete it, only one can make it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from etl.errors import AccessRefused, LockHeld, Unavailable
from etl.salesforce import fewrows, soql
from etl.salesforce.answers import Rejected
from etl.salesforce.fewrows import Result
from etl.salesforce.org import Org
from etl.salesforce.query import rest_rows
from etl.salesforce.typed import Column
from etl.schema import KEY, RUN_LOG
from etl.session import AnswerLost, Patience

_log = logging.getLogger(__name__)

PREFIX = "lease:"
MARGIN = timedelta(minutes=10)
"""How long after its last sign of life a lease is its holder's."""
_TRIES = 5
_QUICK = Patience(attempts=3, waiting_s=15.0, connect_s=5.0, read_s=15.0)
BRIEF = Patience(attempts=2, waiting_s=4.0, connect_s=4.0, read_s=6.0)
"""For giving back: a pod that is told to stop has half a minute."""
_GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"})
_NOT_NOW = frozenset({"DUPLICATE_VALUE", "UNABLE_TO_LOCK_ROW", "STORAGE_LIMIT_EXCEEDED"})
_FULL = "STORAGE_LIMIT_EXCEEDED"
_ROLLED_BACK = "ALL_OR_NONE_OPERATION_ROLLED_BACK"
_TEXTS = ("Id", KEY, "Run_Id__c", "Command__c", "Outcome__c")
_TIMES = ("Started_At__c", "Heartbeat_At__c", "CreatedDate", "LastModifiedDate")
_COLUMNS = [
    *(Column(name, name, pa.string()) for name in _TEXTS),
    *(Column(name, name, pa.timestamp("ms", tz="UTC")) for name in _TIMES),
]


class NoRoom(Exception):
    """The org has no storage left for the records of a lease."""


class LeaseLost(Exception):
    """The lease is no longer this run's: somebody took it over, or deleted it."""


@dataclass(frozen=True)
class Holding:
    """One lease record as Salesforce has it."""

    id: str
    key: str
    run_id: str
    command: str
    token: str
    since: datetime
    made: datetime
    alive: datetime
    """The last sign of life."""

    def expired(self, now: datetime | None) -> bool:
        """Say whether the holder may be taken for dead; never without the server's time."""
        return now is not None and now - self.alive > MARGIN


def holdings(org: Org) -> list[Holding]:
    """Return every lease record that there is, whoever's."""
    query = soql.select([column.header for column in _COLUMNS], RUN_LOG, soql.starts_with(KEY, PREFIX))
    found = rest_rows(org, query, _COLUMNS).to_pylist()
    return [_holding(row, org.server_time()) for row in found]


def _holding(row: dict[str, Any], now: datetime | None) -> Holding:
    alive = row["Heartbeat_At__c"]
    if alive is None or (now is not None and alive > now + MARGIN):  # a sign of life from the future is none
        alive = row["LastModifiedDate"]
    texts = {name: row[name] or "" for name in _TEXTS}
    return Holding(
        id=texts["Id"], key=texts[KEY], run_id=texts["Run_Id__c"], command=texts["Command__c"],
        token=texts["Outcome__c"], since=row["Started_At__c"] or row["CreatedDate"], made=row["CreatedDate"],
        alive=alive,
    )  # fmt: skip


def stamp(moment: datetime) -> str:
    """Return a time as Salesforce takes it in JSON."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"


class Lease:
    """One run's hold on some keys. Not held before `take` and after `give_back`."""

    def __init__(
        self, org: Org, keys: Sequence[str], *, run_id: str, command: str, is_dead: Callable[[Holding], bool]
    ) -> None:
        """Want these keys (without the prefix); nothing is sent.

        `is_dead` knows holders that need not be waited for: those that are known to have died.
        """
        self.org = org
        self._is_dead = is_dead
        self.keys = [PREFIX + key for key in keys]
        self.ids: list[str] = []
        """Record ids of what is held."""
        self._asked = False
        """Whether records were asked for, and what came of it was never seen: a signal can come in between."""
        self._run_id = run_id
        self._command = command
        self.token = f"lease {org.random.getrandbits(128):032x}"
        """Tells this run's records from those of another of the same id: ids have four digits of chance."""

    def now(self) -> str:
        """Return the server's time as a stamp; this machine's where Salesforce does not tell the time."""
        return stamp(self.org.server_time() or self.org.clock.now())

    def take(self) -> None:
        """Hold all keys, or none: LockHeld at once when a living run has one of them.

        Raises NoRoom when nobody has them but the org is full, AccessRefused for any other refusal.
        """
        said = ""
        for turn in range(_TRIES):
            said = self._make()
            if self.ids or self._settle(holdings(self.org)):
                return
            if said.startswith(_FULL):
                raise NoRoom(said)
            if turn:  # two that take over at once, or a record that is just being deleted
                self.org.clock.sleep(self.org.random.uniform(0.1, 0.5) * turn)
        raise LockHeld(
            f"another run holds this org, by a record that cannot be seen or replaced ({said}); nothing was written; "
            f"run again later, or delete the {RUN_LOG} records whose {KEY} begins with {PREFIX!r}"
        )

    def _make(self) -> str:
        """Make the records; `ids` stay empty when somebody has one of the keys, or when nobody knows. Say why."""
        made: list[str] = []
        self._asked = True
        for start in range(0, len(self.keys), fewrows.MOST):
            try:
                results = fewrows.insert(self.org, RUN_LOG, self._rows(self.keys[start : start + fewrows.MOST]))
            except Rejected:
                raise
            except (AnswerLost, Unavailable) as error:  # an answer that cannot be read may be that of records made
                _log.warning("the lease: %s; looking at who holds it", error)
                return str(error)
            refused = _first_refusal(results)
            if refused:
                if made:
                    fewrows.delete(self.org, made, _QUICK)
                self._asked = False
                return refused
            made.extend(result.id for result in results)
        self.ids, self._asked = made, False
        return ""

    def _rows(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        now = self.now()
        who = {"Run_Id__c": self._run_id, "Command__c": self._command, "Outcome__c": self.token}
        return [{KEY: key, **who, "Started_At__c": now, "Heartbeat_At__c": now} for key in keys]

    def _settle(self, found: list[Holding]) -> bool:
        """See who holds the keys: True when this run does after all; the dead lose theirs, for the living LockHeld."""
        wanted = [one for one in found if one.key in set(self.keys)]
        mine = [one for one in wanted if one.token == self.token]
        if mine and len(mine) == len(self.keys):
            self.ids = [one.id for one in mine]
            return True
        now = self.org.server_time()
        living = [one for one in wanted if not (one in mine or one.expired(now) or self._is_dead(one))]
        if living:
            raise LockHeld(held_by(living[0]))
        for one in wanted:
            _log.warning("run %s has died, last alive at %s: its %s is taken over", one.run_id, one.alive, one.key)
        if wanted:
            fewrows.delete(self.org, [one.id for one in wanted], _QUICK)  # by id: never the one of another taker
        return False

    def beat(self, *more: str) -> None:
        """Show that the holder lives, on the records `more` too.

        Raises LeaseLost when one of the lease's records is gone, Unavailable when one is refused otherwise: others go
        by what it says, so the holder has given no sign of life then.
        """
        rows = [{"id": name, "Heartbeat_At__c": self.now()} for name in (*self.ids, *more)]
        for start in range(0, len(rows), fewrows.MOST):
            results = fewrows.update(self.org, RUN_LOG, rows[start : start + fewrows.MOST], _QUICK)
            refused = [result for result in results[: max(len(self.ids) - start, 0)] if result.code]
            lost = [result for result in refused if result.code in _GONE]
            if lost:
                raise LeaseLost(f"{len(lost)} of the {len(self.ids)} records of the lease are gone")
            if refused:
                raise Unavailable(
                    f"Salesforce refused to renew the lease on {RUN_LOG}: {refused[0].code} {refused[0].message}; "
                    "exempt this object from rules and triggers, then run again"
                )

    def others_since(self) -> datetime | None:
        """Return since when other living runs have worked on this org; None when there is none."""
        now = self.org.server_time()
        others = [one.made for one in holdings(self.org) if one.id not in self.ids and not one.expired(now)]
        return min(others, default=None)

    def give_back(self, patience: Patience = BRIEF) -> None:
        """Delete the records; those that somebody has deleted already are no matter.

        Records that may have been made without the run hearing of it are looked for first.
        """
        ids = self.ids or (self._mine(patience) if self._asked else [])
        for start in range(0, len(ids), fewrows.MOST):
            fewrows.delete(self.org, ids[start : start + fewrows.MOST], patience)
        self.ids, self._asked = [], False

    def _mine(self, patience: Patience) -> list[str]:
        query = soql.select(["Id", "Outcome__c"], RUN_LOG, soql.is_in(KEY, self.keys))
        answer = self.org.json("GET", self.org.path("query"), params={"q": query}, patience=patience)
        rows = answer.get("records") if isinstance(answer, dict) else None
        return [str(row["Id"]) for row in rows or () if row.get("Outcome__c") == self.token]


def _first_refusal(results: Sequence[Result]) -> str:
    """Return nothing when all were made, Salesforce's words when another has a key; AccessRefused for all else."""
    refused = [result for result in results if result.code and result.code != _ROLLED_BACK]
    for one in refused:
        if one.code not in _NOT_NOW:
            raise AccessRefused(
                f"the lease on {RUN_LOG} cannot be made: {one.code} {one.message}; nothing was written; give the user "
                "the permission set LearnUpon_Sync, and exempt this object from rules and triggers"
            )
    if not refused and any(result.code for result in results):
        return _ROLLED_BACK
    return f"{refused[0].code} {refused[0].message}" if refused else ""


def held_by(one: Holding) -> str:
    """Say who holds a lease, since when, and what to do."""
    free = one.alive + MARGIN
    return (
        f"run {one.run_id or '?'} ({one.command or 'unknown command'}) has held {one.key} in this org since "
        f"{one.since:%Y-%m-%dT%H:%M:%SZ} and was alive at {one.alive:%Y-%m-%dT%H:%M:%SZ}; nothing was written; run "
        f"again once it has ended, or, if it died, after {free:%H:%M:%SZ}"
    )
