"""Reads what Salesforce holds: a mirror of the last read brought up to date where there is one, else all rows.

Which rows come of it is the same either way: a mirror is used only as far as it is proved (`etl.mirroring`). It is left
behind for the next run by runs that hold the lock of the state folder. Clocks are Salesforce's own throughout.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa

from etl import __version__, mirroring
from etl.errors import AccessRefused, StateFault, Unavailable
from etl.frames import entity_schema, to_pandas
from etl.normalise import Shapes
from etl.park import Park
from etl.progress import Task
from etl.salesforce.counting import Counting
from etl.salesforce.org import Org
from etl.salesforce.snapshot import columns_of, count_existing
from etl.schema import BY_NAME, CUSTOM, KEY, PORTAL, PROFILES, Entity
from etl.situation import held_number
from etl.stages.job import Job
from etl.stages.renewal import STEPS, Renewal, read_in_full
from etl.stages.threads import first_failure, threads
from etl.state.mirror import OLDEST, Identity, Mirror, forget_mirrors, read_mirror, write_mirror

_log = logging.getLogger(__name__)

_QUERIES_AT_ONCE = 4


@dataclass(frozen=True)
class Held:
    """What Salesforce holds of the run's portals."""

    rows: Mapping[str, Park]
    profiles: dict[str, pd.DataFrame]
    """Contacts and Users that carry a LearnUpon id."""
    ways: Mapping[str, str] = field(default_factory=dict)
    """By object, in words: how its rows were read."""
    warnings: list[str] = field(default_factory=list)


def read_held(
    org: Org,
    job: Job,
    folder: Path,
    shapes: Mapping[str, Shapes],
    counted: Mapping[str, Counting],
    entities: Sequence[Entity] = CUSTOM,
) -> Held:
    """Read the rows of the run's portals and everybody with a LearnUpon id, several queries at once.

    `counted` is what `count_held` counted. A mirror serves reads of all objects only: those of a single one refer to
    others that are not read.
    """
    now = org.server_time()
    parks = {entity.name: _park(folder, entity, job.portal_ids) for entity in (*entities, *PROFILES)}
    identity, why = _identity(org, job, shapes) if entities == CUSTOM else (None, "not all objects are read")
    mirror = None
    if identity and now:
        mirror, why = _usable(job, identity, now)
    _log.info("Salesforce is read %s", f"with what was kept at {mirror.since:%F %T}Z" if mirror else f"in full: {why}")
    ways = _read(org, job, parks, counted, Renewal(org, job.portal_ids, mirror, folder) if mirror else None, why)
    for name, way in ways.items():
        _log.info("%s: %s, %d rows", name, way, parks[name].rows)
    warnings = _keep(job, identity, now, parks, mirror) if identity and now and job.writes else []
    profiles = {entity.name: to_pandas(parks[entity.name].read()) for entity in PROFILES}
    return Held({entity.name: parks[entity.name] for entity in entities}, profiles, ways, warnings)


def count_held(org: Org, job: Job, entities: Sequence[Entity] = CUSTOM) -> dict[str, Counting]:
    """Count what `read_held` is to read, by local name: what it comes to is then known before it begins."""
    counted = (*entities, *PROFILES)
    with threads(_QUERIES_AT_ONCE, job.stop) as pool:
        found = first_failure([pool.submit(count_existing, org, entity, job.portal_ids) for entity in counted])
    return {entity.name: counting for entity, counting in zip(counted, found, strict=True)}


def _park(folder: Path, entity: Entity, portal_ids: Sequence[int]) -> Park:
    """Return the park of an object, whose rows lie there in the order of their partitions when they can be many."""
    many = entity is not PORTAL and entity.row != "profile"
    number = held_number(entity.row, portal_ids) if many else None
    return Park(folder / entity.name, entity_schema(entity), number=number)


def _identity(org: Org, job: Job, shapes: Mapping[str, Shapes]) -> tuple[Identity | None, str]:
    """Return what a mirror would be one of, or None and why there can be none."""
    if not org.settings.full_read_days:
        if job.writes:
            forget_mirrors(job.settings.state_dir)
        return None, "salesforce.full_read_days is 0"
    if org.settings.namespace:
        return None, "whether a row of the package is ours depends on its parent, and its key is no key"
    user = ""
    with suppress(AccessRefused, Unavailable):
        user = org.user_id
    if not user:
        return None, "Salesforce does not say as which user"
    objects = {entity.name: _described(org, entity, shapes[entity.name]) for entity in (*CUSTOM, *PROFILES)}
    return Identity(org.org_id, user, job.portal_ids, org.settings.api_version, __version__, objects), ""


def _described(org: Org, entity: Entity, shapes: Shapes) -> str:
    columns = [f"{one.name}={one.header}:{one.type}" for one in columns_of(org, entity)]
    held = [
        f"{name}:{shape.kind}:{shape.length}:{shape.precision}:{shape.scale}:{sorted(shape.choices or ())}"
        for name, shape in sorted(shapes.items())
    ]
    return "\n".join([*columns, *held])


def _usable(job: Job, identity: Identity, now: datetime) -> tuple[Mirror | None, str]:
    """Return the mirror unless it is too old, from the future, or a full read is due; else None and why."""
    mirror, why = read_mirror(job.settings.state_dir, identity)
    if mirror is None:
        return None, why
    if now < max(mirror.since, mirror.full_at):
        return None, "the earlier read is later than now by Salesforce's clock"
    if now - mirror.since > OLDEST:
        return None, f"the earlier read was more than {OLDEST.days} days ago"
    days = job.settings.salesforce.full_read_days
    if now - mirror.full_at >= timedelta(days=days):
        return None, f"the last full read was {days} days ago or more"
    return mirror, ""


def _read(
    org: Org,
    job: Job,
    parks: Mapping[str, Park],
    counted: Mapping[str, Counting],
    renewal: Renewal | None,
    why: str,
) -> dict[str, str]:
    entities = {entity.name: entity for entity in (*CUSTOM, *PROFILES) if entity.name in parks}
    task = job.progress.task("objects of Salesforce", len(parks))
    ways: dict[str, str] = {}
    with threads(_QUERIES_AT_ONCE, job.stop) as pool:
        if renewal is None:
            reads = {
                name: pool.submit(read_in_full, org, entity, job.portal_ids, parks[name], why, counted[name])
                for name, entity in entities.items()
            }
            _results(reads, ways, task)
            return {name: ways[name] for name in entities}
        for step in STEPS:
            reads = {entity.name: pool.submit(renewal.read, entity, parks[entity.name]) for entity in step}
            _results(reads, ways, task)
    return {name: ways[name] for name in entities}


def _results(reads: Mapping[str, Future[str]], ways: dict[str, str], task: Task) -> None:
    names = {future: name for name, future in reads.items()}
    for future in as_completed(names):
        ways[names[future]] = future.result()
        task.update(len(ways))


def _keep(job: Job, identity: Identity, now: datetime, parks: Mapping[str, Park], mirror: Mirror | None) -> list[str]:
    """Leave these rows behind as the mirror; return a warning when that cannot be: the next run reads all then."""
    try:
        kept = {name: park for name, park in parks.items() if not _is_loose(name, parks)}
        times = now, mirror.full_at if mirror else now
        write_mirror(job.settings.state_dir, identity, job.run_id, times, kept, mirror.seen if mirror else {})
    except StateFault as fault:
        return [f"what was read of Salesforce could not be kept, so the next run reads more: {fault}"]
    return []


def _is_loose(name: str, parks: Mapping[str, Park]) -> bool:
    """Say whether rows of an object have parents that are not among the rows read."""
    parent = next((one for one in BY_NAME[name].fields if one.kind == "parent"), None)
    if parent is None:
        return False
    keys = pa.concat_arrays(
        [
            pa.array([], pa.string()),
            *(chunk for table in parks[parent.refers_to].batches() for chunk in table[KEY].chunks),
        ]
    )
    loose = mirroring.is_loose(parks[name].batches(), parent.name, keys)
    if loose:
        _log.info("%s is not kept for the next run: it has rows without a %s of ours", name, parent.refers_to)
    return loose
