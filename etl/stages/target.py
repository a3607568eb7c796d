"""The Salesforce side of a run before it reads: signed in, described, checked, earlier jobs ended."""

from __future__ import annotations

import threading

from etl.errors import AccessRefused, SchemaMismatch
from etl.normalise import Shape, Shapes
from etl.salesforce.adopt import adopt
from etl.salesforce.describe import Described, FieldSpec, Problem, check_described, describe, needed
from etl.salesforce.lease import Lease
from etl.salesforce.org import Org
from etl.schema import ENTITIES, KEY, Field
from etl.stages.job import Job
from etl.stages.threads import first_failure, threads
from etl.state import unfinished_journals


def connect(job: Job) -> Org:
    """Sign in and see that the org is the pinned one."""
    return Org.connect(job.settings.salesforce, clock=job.clock, random=job.random, transport=job.transport)


def end_earlier_jobs(org: Org, job: Job, lease: Lease | None) -> list[str]:
    """End what earlier runs left in Salesforce: open jobs are aborted, running ones waited for.

    Returns a line for each. Raises OutcomeUnknown when one does not end in time.
    """
    return adopt(org, unfinished_journals(job.settings.state_dir), lease)


def shapes_of(org: Org, stop: threading.Event) -> dict[str, Shapes]:
    """Describe all objects; return what each column can hold, or raise for what is missing or may not be written.

    All are described at once; setting `stop` ends that.
    """
    with threads(len(ENTITIES), stop) as pool:
        described = describe(
            org, ENTITIES, lambda ask, names: first_failure([pool.submit(ask, name) for name in names])
        )
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
