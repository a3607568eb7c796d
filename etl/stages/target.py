"""The Salesforce side of a run before it writes: signed in, described, checked, earlier jobs ended, rows read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from etl.errors import AccessRefused, SchemaMismatch
from etl.frames import entity_schema
from etl.normalise import Shape, Shapes
from etl.park import Park
from etl.salesforce.adopt import adopt
from etl.salesforce.counting import Counting
from etl.salesforce.describe import Described, FieldSpec, Problem, check_described, describe, needed
from etl.salesforce.lease import Lease
from etl.salesforce.org import Org
from etl.salesforce.snapshot import count_existing, read_existing, read_profiles
from etl.schema import CUSTOM, ENTITIES, KEY, PROFILES, Entity, Field
from etl.situation import held_number
from etl.stages.job import Job
from etl.stages.threads import first_failure, threads
from etl.state import unfinished_journals

_QUERIES_AT_ONCE = 4


@dataclass(frozen=True)
class Held:
    """What Salesforce holds of the run's portals."""

    rows: Mapping[str, Park]
    profiles: dict[str, pd.DataFrame]
    """Contacts and Users that carry a LearnUpon id."""


def connect(job: Job) -> Org:
    """Sign in and see that the org is the pinned one."""
    return Org.connect(job.settings.salesforce, clock=job.clock, random=job.random, transport=job.transport)


def end_earlier_jobs(org: Org, job: Job, lease: Lease | None) -> list[str]:
    """End what earlier runs left in Salesforce: open jobs are aborted, running ones waited for.

    Returns a line for each. Raises OutcomeUnknown when one does not end in time.
    """
    return adopt(org, unfinished_journals(job.settings.state_dir), lease)


def shapes_of(org: Org) -> dict[str, Shapes]:
    """Describe all objects; return what each column can hold, or raise for what is missing or may not be written."""
    described = describe(org, ENTITIES)
    refuse(check_described(described, org.settings.namespace))
    return shapes(described, org.settings.namespace)


def refuse(problems: list[Problem]) -> None:
    """Raise for problems of the org: SchemaMismatch for what is missing, else AccessRefused for permissions."""
    if not problems:
        return
    lines = tuple(
        f"{problem.object}.{problem.field}".rstrip(".") + f": {problem.what}; {problem.remedy}" for problem in problems
    )
    text = f"the org cannot be written as it is, {len(lines)} problems; nothing was written:\n  " + "\n  ".join(lines)
    if any(problem.kind == "missing" for problem in problems):
        raise SchemaMismatch(text, lines)
    raise AccessRefused(text)


def shapes(described: Described, namespace: str) -> dict[str, Shapes]:
    """Return what each compared column of each object can hold, as described."""
    found: dict[str, Shapes] = {}
    for entity in described.asked:
        specs = described.objects[entity.name].fields
        columns = {field.name: field for field in needed(entity, namespace) if field.name != KEY}
        found[entity.name] = {name: shape(field, specs[name]) for name, field in columns.items()}
    return found


def shape(declared: Field, spec: FieldSpec) -> Shape:
    """Return what a field can hold: our table's kind, the org's sizes and choices."""
    precision, scale = (spec.precision, spec.scale) if spec.precision else (declared.precision, declared.scale)
    if spec.type in {"int", "long"}:
        precision, scale = {"int": 10, "long": 18}[spec.type], 0
    choices = frozenset(value.strip() for value in spec.values) if spec.restricted else None
    return Shape(declared.kind, spec.length or declared.length, precision, scale, choices)


def count_held(org: Org, job: Job, entities: Sequence[Entity] = CUSTOM) -> dict[str, Counting]:
    """Count what `read_held` is to read, by local name: what it comes to is then known before it begins."""
    counted = (*entities, *PROFILES)
    with threads(_QUERIES_AT_ONCE, job.stop) as pool:
        found = first_failure([pool.submit(count_existing, org, entity, job.portal_ids) for entity in counted])
    return {entity.name: counting for entity, counting in zip(counted, found, strict=True)}


def read_held(
    org: Org, job: Job, folder: Path, counted: Mapping[str, Counting], entities: Sequence[Entity] = CUSTOM
) -> Held:
    """Read the rows of the run's portals and everybody with a LearnUpon id, several queries at once."""
    parks = {entity.name: _park(folder / entity.name, entity, job.portal_ids) for entity in entities}
    task = job.progress.task("objects of Salesforce", len(entities) + len(PROFILES))
    with threads(_QUERIES_AT_ONCE, job.stop) as pool:
        profiles = [pool.submit(read_profiles, org, entity, counted[entity.name]) for entity in PROFILES]
        rows = [
            pool.submit(
                partial(read_existing, counting=counted[entity.name]), org, entity, job.portal_ids, parks[entity.name]
            )
            for entity in entities
        ]
        waiting: list[Future[Any]] = [*rows, *profiles]
        for number, future in enumerate(as_completed(waiting), 1):
            future.result()
            task.update(number)
    return Held(parks, {entity.name: future.result() for entity, future in zip(PROFILES, profiles, strict=True)})


def _park(folder: Path, entity: Entity, portal_ids: Sequence[int]) -> Park:
    """Return the park of an object; enrollments, which are many, lie there in the order of their partitions."""
    number = held_number(entity.row, portal_ids) if entity.row in {"enrollment", "path"} else None
    return Park(folder, entity_schema(entity), number=number)
