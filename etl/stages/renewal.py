"""Brings the mirror of an earlier read up to date, object by object; what cannot be proved is read in full instead."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from etl import mirroring
from etl.frames import entity_schema
from etl.park import Park
from etl.salesforce.changes import OVERLAP, Unproven, columns_changed, read_changed, read_gone, read_sums
from etl.salesforce.counting import Counting
from etl.salesforce.org import Org
from etl.salesforce.snapshot import read_existing, read_keys
from etl.salesforce.typed import schema
from etl.schema import CONTACT, CUSTOM, MEMBERSHIP, PORTAL, USER, Entity
from etl.state.mirror import Mirror

_log = logging.getLogger(__name__)

STEPS = ((PORTAL, CONTACT, USER), (MEMBERSHIP,), CUSTOM[2:])
"""The objects, each in a step after those it refers to."""
_REFERRED = {entity.name for entity in (PORTAL, MEMBERSHIP, CONTACT)}
"""Objects of which others show something, or lose it. Users are never deleted nor merged (Object reference, User)."""
_SHARE = 0.2
"""Share of an object's rows from which reading all of them costs less than reading those that changed."""
_ALWAYS = 2_000
"""Rows up to which the changed ones are read whatever their share."""
_MOST_GONE = 500_000
_ID = pa.schema({"Id": pa.string()})


def read_in_full(
    org: Org, entity: Entity, portal_ids: Sequence[int], park: Park, why: str, counting: Counting | None = None
) -> str:
    """Park all rows of an object, and say so in words for the report."""
    read_existing(org, entity, portal_ids, park, counting=counting)
    return f"full read: {why}"


class Renewal:
    """One run's use of a mirror: objects are read in the order of `STEPS`, those of one step in any."""

    def __init__(self, org: Org, portal_ids: Sequence[int], mirror: Mirror, folder: Path) -> None:
        """Read nothing yet; `folder` is for files of this run."""
        self._org = org
        self._portal_ids = portal_ids
        self._mirror = mirror
        self._since = mirror.since - OVERLAP
        self._folder = folder
        self._lost: dict[str, pa.Array] = {}
        """By object that others refer to: keys (of Contacts: ids) of rows that are no longer as they were."""
        self._newcomers = False
        """Whether there are Contacts that were not there before: they may have come back, and their look-ups too."""
        self._touched = pa.array([], pa.string())
        """Contacts that others changed: one may have been merged away and brought back."""

    def read(self, entity: Entity, park: Park) -> str:
        """Park the rows of an object as they are now, and say in words for the report how they were read.

        Raises what a full read raises; what the park holds then is not to be used.
        """
        try:
            before = self._taken(entity)
            try:
                way = self._renewed(entity, before, park)
            except Unproven as why:
                way = read_in_full(self._org, entity, self._portal_ids, park, str(why))
            if entity.name in _REFERRED:
                self._compare(entity, before, park)
        except _NotKept as why:
            way = read_in_full(self._org, entity, self._portal_ids, park, str(why))
        return way

    def _taken(self, entity: Entity) -> Park:
        """Return the rows of the mirror, seen to be as they were written."""
        if entity.name not in self._mirror.rows:
            raise _NotKept("nothing was kept of its last read")
        park = Park(self._folder / f"{entity.name}-mirror", entity_schema(entity))
        try:
            self._mirror.take(entity.name, park.folder)
            park.load()
        except ValueError as damage:
            raise _NotKept(f"what was kept of its last read cannot be used: {damage}") from damage
        return park

    def _renewed(self, entity: Entity, before: Park, park: Park) -> str:
        most = max(_ALWAYS, int(before.rows * _SHARE))
        changed = Park(self._folder / f"{entity.name}-changed", schema(columns_changed(self._org, entity)))
        read_changed(self._org, entity, self._portal_ids, self._since, changed, most=most)
        ids = _column(changed, "Id")
        if len(pc.unique(ids)) != len(ids):
            raise Unproven("a changed row came twice")
        if entity is CONTACT:
            self._touched = mirroring.touched(_table(changed, ["Id", "LastModifiedById"]), self._org.user_id)
        again = self._pointing(before, ids, entity)
        if len(again) > most:
            raise Unproven(f"{len(again):,} rows refer to records that are gone or have another key")
        gone = pa.concat_arrays([ids, again])
        for path, table in zip(before.save(), before.batches(), strict=True):
            kept = mirroring.without(table, gone)
            if kept is table:
                park.adopt(path)
            else:
                park.append(kept)
        for table in changed.batches():
            park.append(mirroring.alive(table, entity))
        self._look_again(entity, again, park)
        self._prove(entity, park)
        seen_again = f", {len(again):,} looked at again" if len(again) else ""
        return f"mirror + {len(ids):,} changed rows{seen_again}"

    def _pointing(self, before: Park, ids: pa.Array, entity: Entity) -> pa.Array:
        """Return the ids of unchanged rows to look at again: those that must be, and those that may be while few."""
        again = mirroring.pointing(_without(before, ids), self._referring(entity))
        to_people = [one.name for one in entity.fields if one.refers_to == CONTACT.name]
        if to_people and len(self._touched):
            more = mirroring.pointing(_without(before, ids), dict.fromkeys(to_people, self._touched))
            again = pc.unique(pa.concat_arrays([again, more])) if len(more) <= mirroring.GLANCE else again
        return again

    def _referring(self, entity: Entity) -> dict[str, pa.Array]:
        """Return, by column, the values of records that are no longer as they were."""
        columns = {one.name: one.refers_to for one in entity.fields if one.refers_to in _REFERRED}
        unknown = [name for name in columns.values() if name not in self._lost]
        if unknown:
            raise Unproven(f"what became of the rows of {unknown[0]} is not known")
        return {column: self._lost[name] for column, name in columns.items()}

    def _look_again(self, entity: Entity, ids: pa.Array, park: Park) -> None:
        if len(ids):
            found = Park(self._folder / f"{entity.name}-again", park.schema)
            read_keys(self._org, entity, ids.to_pylist(), found, by="Id")
            for table in found.batches():
                park.append(table)

    def _prove(self, entity: Entity, park: Park) -> None:
        """Raise Unproven unless Salesforce comes to the same count and sums."""
        theirs = read_sums(self._org, entity, self._portal_ids)
        what = mirroring.difference(mirroring.sums(park.batches(), entity), theirs)
        if what:
            raise Unproven(f"what was kept and what changed do not make up what is there: {what}")
        refers = any(one.refers_to == CONTACT.name for one in entity.fields)
        if theirs.totals is None and refers and self._newcomers:
            raise Unproven("Contacts have come, perhaps back from the recycle bin, and look-ups could not be counted")

    def _compare(self, entity: Entity, before: Park, now: Park) -> None:
        """Keep which rows are no longer as they were, for the objects that refer to this one."""
        columns = list(dict.fromkeys(["Id", entity.key]))
        old, new = (_table(park, columns) for park in (before, now))
        lost = mirroring.lost(old, new, entity.key)
        if entity is CONTACT:
            gone = Park(self._folder / "Contact-gone", _ID)
            try:
                read_gone(self._org, self._since, gone, most=_MOST_GONE)
            except Unproven as why:
                _log.warning("which Contacts were deleted cannot be seen: %s", why)
                return
            lost = pc.unique(pa.concat_arrays([lost, _column(gone, "Id")]))
            self._newcomers = len(mirroring.lost(new, old, "Id")) > 0
        self._lost[entity.name] = lost


def _without(park: Park, ids: pa.Array) -> Iterator[pa.Table]:
    return (mirroring.without(table, ids) for table in park.batches())


class _NotKept(Exception):
    """The mirror has no usable rows of an object."""


def _table(park: Park, columns: list[str]) -> pa.Table:
    empty = pa.schema([park.schema.field(name) for name in columns]).empty_table()
    return pa.concat_tables([empty, *(table.select(columns) for table in park.batches())])


def _column(park: Park, name: str) -> pa.Array:
    return pa.concat_arrays([pa.array([], pa.string()), *_table(park, [name])[name].chunks])
