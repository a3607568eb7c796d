"""Enters desired and existing rows, partition by partition, into the plan and keeps the sums; asks nobody anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from etl import keys
from etl.diff import diff
from etl.frames import is_in
from etl.normalise import Fitted, Shapes, fit
from etl.plan import EntityPlan, Plan, in_order
from etl.schema import KEY, Entity

NOTHING = pd.DataFrame({"object": [], "key": [], "reason": []}, dtype="string[pyarrow]")
_TWINS = (
    "{n} rows of {name} share their key with another one; none of them was touched: remove all but one of each, once "
    "nothing refers to the others"
)


class Book:
    """A plan in the making."""

    def __init__(self, folder: Path, shapes: Mapping[str, Shapes]) -> None:
        """Park the plan in `folder`; `shapes` maps an object to the columns compared and what they can hold."""
        self._folder = folder
        self._shapes = shapes
        self._plans: dict[str, EntityPlan] = {}
        self._rejected: list[pd.DataFrame] = []
        self._cut: Counter[tuple[str, str]] = Counter()
        self._blanked = 0
        self._twins: dict[str, pd.Series] = {}
        self.notes: Counter[str] = Counter()
        """Warnings that count rows: text with `{n}` and how many."""

    def plan_of(self, entity: Entity) -> EntityPlan:
        """Return the plan of an object, started empty if it is new."""
        if entity.name not in self._plans:
            self._plans[entity.name] = EntityPlan(entity, self._folder / entity.name)
        return self._plans[entity.name]

    def apart(self, existing: pd.DataFrame, entities: Sequence[Entity], key: str = "code") -> pd.DataFrame:
        """Return existing rows (of one object, or of two by `object_side`) without those that share their key.

        Which of them is the row nobody can say, so none is touched: they count as unconfirmed, and what should become
        of them is rejected by `fit`. A unique key keeps our own objects free of them, LearnUpon's package has none.
        """
        same = existing.duplicated([key, "object_side"] if len(entities) > 1 else [key], keep=False)
        twin = same & (existing[key] != keys.UNREADABLE)
        if not twin.any():
            return existing
        for entity in entities:
            mine = existing[twin & (existing["object_side"] == entity.person)] if len(entities) > 1 else existing[twin]
            ids = mine.sort_values("Id").groupby(KEY)["Id"].agg(", ".join)
            self._twins[entity.name] = pd.concat([self._twins.get(entity.name, ids.iloc[:0]), ids])
            self.plan_of(entity).counts.unconfirmed += len(mine)
            self.notes[_TWINS.format(name=entity.name, n="{n}")] += len(mine)
        return existing[~twin]

    def enter(
        self,
        entity: Entity,
        fitted: Fitted,
        existing: pd.DataFrame,
        *,
        key: str,
        stays: pd.Series,
        unconfirmed: pd.Series,
        proof: pd.Series,
        kept: int = 0,
    ) -> pd.DataFrame:
        """Enter one partition of an object, desired rows fitted before; return those rows as the org will hold them.

        `stays` marks existing rows to leave as they are, `unconfirmed` those left because nothing could be proved;
        both, and `proof`, are indexed like `existing`. The existing rows of `fitted.blocked`
        are left, as unconfirmed.
        """
        plan = self.plan_of(entity)
        if not len(existing) and not len(fitted.rows) and not len(fitted.rejected):
            return fitted.rows
        blocked = stays & ~stays
        if len(fitted.blocked):
            blocked = is_in(existing[entity.key], fitted.blocked) & ~stays & ~unconfirmed
        held = existing[~(stays | unconfirmed | blocked)]
        plan.add(diff(fitted.rows, held, key, self._shapes[entity.name], entity.columns), proof)
        counts = plan.counts
        counts.unchanged += int(stays.sum())
        counts.unconfirmed += int((unconfirmed | blocked).sum())
        counts.rejected += len(fitted.rejected)
        counts.kept += kept
        return fitted.rows

    def fit(self, entity: Entity, desired: pd.DataFrame, kept: pd.DataFrame | None = None) -> Fitted:
        """Return desired rows of an object as the org can hold them, and note what that took.

        `kept` are rows that are there already and stay: of them only flags, zeros and people are ever sent, which fit.
        All else of them need not: a picklist may have lost a value that rows still hold.
        """
        fitted = self._fitted(entity, desired) if len(desired) else Fitted(rows=desired)
        if kept is not None and len(kept):
            parts = [part for part in (fitted.rows, kept[desired.columns]) if len(part)]
            fitted.rows = pd.concat(parts, ignore_index=True)
        return fitted

    def _fitted(self, entity: Entity, desired: pd.DataFrame) -> Fitted:
        fitted = fit(desired, entity.key, self._shapes[entity.name])
        twins = self._twins.get(entity.name)
        if twins is not None:
            _reject(fitted, entity.key, twins)
        self._note(entity, fitted)
        return fitted

    def _note(self, entity: Entity, fitted: Fitted) -> None:
        self._blanked += fitted.blanked
        for column, number in fitted.cut.items():
            self._cut[entity.name, column] += number
        if len(fitted.rejected):
            self._rejected.append(fitted.rejected.assign(object=entity.name)[["object", "key", "reason"]])

    def close(self, entities: tuple[Entity, ...], warnings: list[str]) -> Plan:
        """Return the plan of `entities` with `warnings` and those that came up on the way."""
        for entity in entities:
            counts = self.plan_of(entity).counts
            counts.desired = counts.create + counts.update + counts.unchanged + counts.rejected
            counts.existing = counts.update + counts.unchanged + counts.delete + counts.unconfirmed
        notes = [text.format(n=f"{number:,}") for text, number in self.notes.items() if number]
        for (name, column), number in self._cut.items():
            notes.append(f"{number:,} texts are longer than {name}.{column} holds and were cut to it")
        if self._blanked:
            notes.append(f"{self._blanked:,} texts are the literal #N/A, which Bulk cannot write; they become blank")
        rejected = pd.concat(self._rejected, ignore_index=True) if self._rejected else NOTHING
        return Plan(in_order(self._plans), rejected, [*warnings, *notes])


def _reject(fitted: Fitted, key: str, twins: pd.Series) -> None:
    """Set apart the desired rows that are there more than once; `twins` has the record ids by key.

    They block what else exists under their keys: a mover's row on the other side may be the only right one there is.
    """
    there = fitted.rows[key].isin(twins.index)
    if not there.any():
        return
    names = fitted.rows.loc[there, key].reset_index(drop=True)
    why = "there is more than one row with this key, remove all but one: " + names.map(twins).astype("string[pyarrow]")
    fitted.rejected = pd.concat([fitted.rejected, pd.DataFrame({"key": names, "reason": why})], ignore_index=True)
    fitted.blocked = pd.concat([fitted.blocked, names], ignore_index=True)
    fitted.rows = fitted.rows[~there]
