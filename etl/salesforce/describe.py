"""What the org declares: objects and fields as describe gives them, and what of it cannot serve; it changes nothing.

Source: REST guide, "sObject Describe". A field that the user may not see is missing from the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

from etl.errors import Unavailable
from etl.salesforce.answers import Rejected
from etl.salesforce.org import Org
from etl.schema import KEY, PROFILES, Entity, Field

HOLDS: dict[str, frozenset[str]] = {
    "text": frozenset({"string", "textarea", "picklist", "combobox", "email", "url", "phone"}),
    "number": frozenset({"double", "int", "currency", "percent", "long"}),
    "datetime": frozenset({"datetime"}),
    "boolean": frozenset({"boolean"}),
    "id": frozenset({"reference"}),
    "parent": frozenset({"reference"}),
}
"""Kind of a value: the types of Salesforce that can hold it. A date has no time of day, so it cannot."""
_DELETED_BY_US = frozenset({"enrollment", "path", "run"})


@dataclass(frozen=True)
class FieldSpec:
    """A field as the org declares it."""

    name: str
    """Local name."""
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    createable: bool = True
    updateable: bool = True
    nillable: bool = True
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    restricted: bool = False
    values: tuple[str, ...] = ()
    """Active values of a picklist."""
    refers_to: tuple[str, ...] = ()
    """API names of the objects a reference may point at."""
    master_detail: bool = False


@dataclass(frozen=True)
class ObjectSpec:
    """An object as the org declares it, its fields by local name."""

    name: str
    createable: bool
    updateable: bool
    deletable: bool
    queryable: bool
    fields: Mapping[str, FieldSpec]


@dataclass(frozen=True)
class Described:
    """What was described: objects by local name; one that is missing (or hidden from the user) is not among them."""

    objects: Mapping[str, ObjectSpec]
    asked: tuple[Entity, ...]


@dataclass(frozen=True)
class Problem:
    """Something in the org that keeps the product from working, and what to do about it."""

    object: str
    field: str
    """Local name; empty when it is about the object."""
    what: str
    remedy: str
    kind: Literal["missing", "permission"]


class Each(Protocol):
    """What asks for every name; `map` asks one after another."""

    def __call__(self, ask: Callable[[str], ObjectSpec | None], names: Sequence[str], /) -> Iterable[ObjectSpec | None]:
        """Give the answers in the order of the names."""


def describe(org: Org, entities: Iterable[Entity], each: Each = map) -> Described:
    """Describe the objects of these entities, one request each."""
    asked = tuple(entities)
    names = [entity.name for entity in asked]
    specs = each(partial(describe_object, org), names)
    return Described({name: spec for name, spec in zip(names, specs, strict=True) if spec is not None}, asked)


def describe_object(org: Org, local: str) -> ObjectSpec | None:
    """Describe one object by its local name; None when the org has none of that name, or hides it."""
    try:
        answer = org.sf.restful(f"sobjects/{org.name(local)}/describe")
    except Rejected as error:
        if error.status == 404:
            return None
        raise
    fields = answer.get("fields") if isinstance(answer, dict) else None
    if not isinstance(fields, list):
        raise Unavailable(f"describe of {org.name(local)} has no list of fields; run again later")
    specs = [spec for spec in (_field(raw, org.settings.namespace) for raw in fields) if spec is not None]
    return ObjectSpec(
        name=local,
        createable=bool(answer.get("createable")),
        updateable=bool(answer.get("updateable")),
        deletable=bool(answer.get("deletable")),
        queryable=bool(answer.get("queryable", True)),
        fields={spec.name: spec for spec in specs},
    )


def _local(api_name: str, namespace: str) -> str | None:
    """Return the local name of an API name; None for a custom field outside of the namespace."""
    if not namespace or not api_name.endswith("__c"):
        return api_name
    return api_name.removeprefix(namespace + "__") if api_name.startswith(namespace + "__") else None


def _field(raw: dict[str, Any], namespace: str) -> FieldSpec | None:
    local = _local(str(raw.get("name")), namespace)
    if local is None:
        return None
    choices = raw.get("picklistValues") or []
    return FieldSpec(
        name=local,
        type=str(raw.get("type")),
        length=int(raw.get("length") or 0),
        precision=int(raw.get("precision") or 0),
        scale=int(raw.get("scale") or 0),
        createable=bool(raw.get("createable")),
        updateable=bool(raw.get("updateable")),
        nillable=bool(raw.get("nillable", True)),
        external_id=bool(raw.get("externalId")),
        unique=bool(raw.get("unique")),
        case_sensitive=bool(raw.get("caseSensitive")),
        restricted=bool(raw.get("restrictedPicklist")),
        values=tuple(str(choice.get("value")) for choice in choices if choice.get("active", True)),
        refers_to=tuple(str(target) for target in raw.get("referenceTo") or []),
        # only the detail side of a master-detail relationship has an order (REST guide, sObject Describe)
        master_detail=raw.get("relationshipOrder") is not None or bool(raw.get("cascadeDelete")),
    )


def needed(entity: Entity, namespace: str) -> tuple[Field, ...]:
    """Return the fields an org must have: with a namespace LearnUpon's own package, which lacks the additions."""
    return tuple(field for field in entity.fields if not (namespace and field.ours))


def check_described(described: Described, namespace: str) -> list[Problem]:
    """Return everything in the org that cannot serve; an empty list when the product can work."""
    problems: list[Problem] = []
    for entity in described.asked:
        spec = described.objects.get(entity.name)
        if spec is None:
            problems.append(_missing(entity.name, "", namespace))
            continue
        problems.extend(_object_problems(entity, spec))
        for field in needed(entity, namespace):
            problems.extend(_field_problems(entity, field, spec.fields.get(field.name), namespace))
    return problems


def without_email(described: Described) -> list[Problem]:
    """Return whose e-mail the user may not read; it is asked for by matching alone, and only when that is by e-mail."""
    remedy = "let the integration user read it (permission set LearnUpon_Sync), or set matching.email to off"
    return [
        Problem(spec.name, "Email", "matching.email needs it, and it is hidden from the user", remedy, "missing")
        for spec in described.objects.values()
        if spec.name in {entity.name for entity in PROFILES} and "Email" not in spec.fields
    ]


def _missing(name: str, field: str, namespace: str) -> Problem:
    source = "the LearnUpon package" if namespace else "config/salesforce"
    what = f"the field is missing on {name}, or hidden from the user" if field else "the object is missing, or hidden"
    remedy = f"deploy {source}, or let the integration user see it (permission set LearnUpon_Sync)"
    return Problem(name, field, what, remedy, "missing")


def _permission(name: str, field: str, verb: str) -> Problem:
    return Problem(
        name, field, f"the user may not {verb} it", "assign the permission set LearnUpon_Sync to the user", "permission"
    )


def _object_problems(entity: Entity, spec: ObjectSpec) -> Iterator[Problem]:
    wanted = [("read", spec.queryable), ("edit", spec.updateable)]
    if entity.row != "profile":
        wanted.append(("create", spec.createable))
    if entity.row in _DELETED_BY_US:
        wanted.append(("delete", spec.deletable))
    for verb, allowed in wanted:
        if not allowed:
            yield _permission(entity.name, "", verb)


def _field_problems(entity: Entity, field: Field, spec: FieldSpec | None, namespace: str) -> Iterator[Problem]:
    if spec is None:
        yield _missing(entity.name, field.name, namespace)
        return
    if spec.type not in HOLDS[field.kind]:
        allowed = ", ".join(sorted(HOLDS[field.kind]))
        yield Problem(
            entity.name, field.name, f"its type {spec.type} cannot hold a {field.kind}", f"make it {allowed}", "missing"
        )
        return
    if field.name == KEY and not (spec.external_id and spec.unique):
        yield Problem(
            entity.name, field.name, "it is not a unique external id", "set External ID and Unique on it", "missing"
        )
    if entity.row != "profile" and not spec.createable:
        yield _permission(entity.name, field.name, "set")
    if not spec.updateable and not (field.kind == "parent" and spec.master_detail):
        yield _permission(entity.name, field.name, "edit")
