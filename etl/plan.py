"""The plan: what a run would create, update and delete, object by object, parked on disk; it decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from etl.counts import Counts
from etl.diff import CHANGED, Changes
from etl.frames import entity_schema, to_arrow
from etl.guards import Load, Reading
from etl.park import Park
from etl.schema import ENTITIES, Entity


class EntityPlan:
    """The changes of one object, on disk.

    creates: the entity's columns without Id.
    updates: with the existing row's Id and `changed` (bit i is set when entity.columns[i] differs).
    before: the existing rows of the updates.
    deletes: existing rows with `reason` (unenrolled, gone, moved).
    """

    def __init__(self, entity: Entity, folder: Path) -> None:
        """Start an empty plan of one object in `folder`."""
        schema = entity_schema(entity)
        self.entity = entity
        self.counts = Counts()
        self.newly_referred = 0
        """Updates of people whom no membership referred to before."""
        self.creates = Park(folder / "creates", schema.remove(0))
        self.updates = Park(folder / "updates", schema.append(pa.field(CHANGED, pa.int64())))
        self.before = Park(folder / "before", schema)
        self.deletes = Park(folder / "deletes", schema.append(pa.field("reason", pa.string())))

    def add(self, changes: Changes, proof: pd.Series) -> None:
        """Add the changes of one partition; `proof` gives the reason of each delete by the existing row's index.

        Raises ValueError for a delete without proof: that would be a bug, and nothing may be written then.
        """
        reasons = proof.reindex(changes.deletes.index)
        if reasons.isna().any():
            raise ValueError(
                f"{int(reasons.isna().sum())} deletes of {self.entity.name} have no proof; nothing was written"
            )
        self._park(self.creates, changes.creates)
        self._park(self.updates, changes.updates)
        self._park(self.before, changes.before)
        self._park(self.deletes, changes.deletes.assign(reason=reasons))
        self.counts.create += len(changes.creates)
        self.counts.update += len(changes.updates)
        self.counts.delete += len(changes.deletes)
        self.counts.unchanged += changes.unchanged

    @staticmethod
    def _park(park: Park, rows: pd.DataFrame) -> None:
        if len(rows):
            park.append(to_arrow(rows, park.schema))

    @property
    def load(self) -> Load:
        """Return what the guards count: people newly referred to are neither existing nor updated for them."""
        counts = self.counts
        return Load(counts.existing - self.newly_referred, counts.update - self.newly_referred, counts.delete)

    @property
    def changes(self) -> int:
        """Return how many rows would be written or deleted."""
        return self.counts.create + self.counts.update + self.counts.delete


@dataclass
class Plan:
    """Everything a run would do, and everyone it would leave out."""

    entities: dict[str, EntityPlan]
    """By local object name, in the order of the writes."""
    rejected: pd.DataFrame
    """object, key, reason."""
    warnings: list[str] = field(default_factory=list)
    guards: list[Reading] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """Return how many rows would be written or deleted over all objects."""
        return sum(plan.changes for plan in self.entities.values())

    @property
    def loads(self) -> Mapping[str, Load]:
        """Return what the guards count, by object."""
        return {name: plan.load for name, plan in self.entities.items()}

    def save(self) -> list[Path]:
        """Write the plan, and with it the rows as they were before, to its files, and return them."""
        parks = [(plan.creates, plan.updates, plan.before, plan.deletes) for plan in self.entities.values()]
        return [path for four in parks for park in four for path in park.save()]

    @property
    def tripped(self) -> list[Reading]:
        """Return the guards that stop this plan."""
        return [reading for reading in self.guards if reading.tripped]


def in_order(plans: Mapping[str, EntityPlan]) -> dict[str, EntityPlan]:
    """Return plans in the order of the writes, parents first."""
    return {entity.name: plans[entity.name] for entity in ENTITIES if entity.name in plans}
