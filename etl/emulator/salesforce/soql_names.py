"""Names of a query looked up in the org: paths to fields, and functions that fetch their values; no conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.emulator.salesforce.errors import ApiError
from etl.emulator.salesforce.schema import Field

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.salesforce.org import SalesforceOrg
    from etl.emulator.salesforce.schema import ObjectType
    from etl.emulator.salesforce.soql_tree import Select
    from etl.emulator.salesforce.table import Row, Table

DEEPEST = 5
_CUSTOM_RELATION = (
    " If you are attempting to use a custom relationship, be sure to append the '__r' after the relationship name."
)


@dataclass(frozen=True)
class Path:
    """A field reached over zero or more parents."""

    parents: tuple[Field, ...]
    field: Field
    get: Callable[[Row], Any]
    folded: bool
    kinds: tuple[str, ...] = ()
    steps: tuple[Callable[[Row], Any], ...] = ()

    def ids(self, row: Row) -> list[str | None]:
        """Ids of the parents on the way; None from where there is none."""
        return [step(row) for step in self.steps]

    @property
    def name(self) -> str:
        """The name as Salesforce spells it: `Account.Name`."""
        return ".".join([*(parent.relationship for parent in self.parents), self.field.name])


def no_column(name: str, kind: ObjectType) -> ApiError:
    """The error of a field that is not there (or not visible)."""
    return ApiError(
        400,
        "INVALID_FIELD",
        f"No such column '{name}' on entity '{kind.name}'. If you are attempting to use a custom field, be sure to "
        "append the '__c' after the custom field name. Please reference your WSDL or the describe call for the "
        "appropriate names.",
    )


class Names:
    """Finds what the names of one query mean."""

    def __init__(self, org: SalesforceOrg, query: Select) -> None:
        """Look up the object; ApiError INVALID_TYPE when there is none."""
        table = org.table(query.object)
        if table is None or not table.kind.queryable:
            raise ApiError(
                400,
                "INVALID_TYPE",
                f"sObject type '{query.object}' is not supported. If you are attempting to use a custom object, be "
                "sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for "
                "the appropriate names.",
            )
        self.org = org
        self.table: Table = table
        self._prefixes = {name.lower() for name in (query.alias, query.object) if name}
        self._known: dict[str, Path] = {}

    def path(self, text: str) -> Path:
        """The field of a path such as `LearnUpon_Portal__r.LU_Key__c`."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._resolve(text)
        return found

    def _resolve(self, text: str) -> Path:
        *over, last = text.split(".")
        if over and over[0].lower() in self._prefixes:
            over = over[1:]
        if len(over) > DEEPEST:
            raise ApiError(400, "MALFORMED_QUERY", f"relationships may be at most {DEEPEST} levels deep")
        kind, parents = self.table.kind, []
        for step in over:
            relation = kind.relation(step)
            if relation is None:
                message = f"Didn't understand relationship '{step}' in field path."
                raise ApiError(400, "INVALID_FIELD", message + _CUSTOM_RELATION)
            parents.append(relation)
            kind = self.org.objects[self._target(relation)]
        field = kind.field(last)
        if field is None:
            raise no_column(last, kind)
        get = self._getter(parents, field)
        ident = Field("Id", "id")
        steps = tuple(self._getter(parents[: place + 1], ident) for place in range(len(parents)))
        kinds = tuple(self._target(parent) for parent in parents)
        return Path(tuple(parents), field, get, not field.case_sensitive, kinds, steps)

    def _target(self, relation: Field) -> str:
        """The object behind a relationship; of several the last one counts (Owner: the user, assumed)."""
        return relation.reference_to[-1]

    def _getter(self, parents: list[Field], field: Field) -> Callable[[Row], Any]:
        name = field.name
        if field.type == "boolean":
            default = bool(field.default)
            last: Callable[[Row], Any] = lambda row: row.get(name, default)  # noqa: E731 - one of two
        else:
            last = lambda row: row.get(name)  # noqa: E731 - one of two
        for parent in reversed(parents):
            last = self._over(parent, last)
        return last

    def _over(self, parent: Field, inner: Callable[[Row], Any]) -> Callable[[Row], Any]:
        rows, bin_, name = *self._rows(parent), parent.name

        def get(row: Row) -> Any:
            key = row.get(name)
            found = rows.get(key) or bin_.get(key) if key is not None else None
            return inner(found) if found is not None else None

        return get

    def _rows(self, parent: Field) -> tuple[dict[str, Row], dict[str, Row]]:
        table = self.org.tables[self._target(parent)]
        return table.rows, table.bin
