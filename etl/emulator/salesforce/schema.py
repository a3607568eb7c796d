"""What an object and a field declare, as describe shows them and writes obey; no records here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass
class Field:
    """One field; tests change attributes in place. `type` is describe's word (`string`, `double`, ...).

    A field that is not nillable and has no default must be given on create. `on_delete` says what becomes of
    a reference when its target is deleted: ``SetNull``, ``Restrict`` or ``Cascade`` (master-detail).
    """

    name: str
    type: str
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    unique: bool = False
    external_id: bool = False
    id_lookup: bool = False
    case_sensitive: bool = False
    reference_to: tuple[str, ...] = ()
    relationship: str = ""
    on_delete: str = "SetNull"
    picklist: tuple[str, ...] = ()
    restricted: bool = False
    auto_number: str = ""
    default: object = None
    calculated: bool = False
    name_field: bool = False

    def __post_init__(self) -> None:
        """Give a label and make external ids usable for look-ups."""
        self.label = self.label or self.name.removesuffix("__c").replace("_", " ")
        self.id_lookup = self.id_lookup or self.external_id

    @property
    def custom(self) -> bool:
        """Whether somebody added the field to the platform's own."""
        return self.name.endswith("__c")

    @property
    def master_detail(self) -> bool:
        """Whether the record lives and dies with the target."""
        return self.on_delete == "Cascade"

    @property
    def required(self) -> bool:
        """Whether a create without a value is refused."""
        return not self.nillable and self.default is None and not self.auto_number and self.createable


@dataclass
class ObjectType:
    """One object with its fields by name; names are matched without regard to case, as the API does."""

    name: str
    prefix: str
    fields: dict[str, Field] = field(default_factory=dict)
    label: str = ""
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    queryable: bool = True

    def __post_init__(self) -> None:
        """Give a label."""
        self.label = self.label or self.name.removesuffix("__c").replace("_", " ")

    @property
    def custom(self) -> bool:
        """Whether somebody added the object to the platform's own."""
        return self.name.endswith("__c")

    def field(self, name: str) -> Field | None:
        """The field of that name in any case, None when there is none."""
        found = self.fields.get(name)
        if found is not None:
            return found
        low = name.lower()
        return next((one for key, one in self.fields.items() if key.lower() == low), None)

    def relation(self, name: str) -> Field | None:
        """The reference field whose relationship has that name (`Account`, `Parent__r`)."""
        low = name.lower()
        return next((one for one in self.fields.values() if one.relationship and one.relationship.lower() == low), None)

    def add(self, *fields: Field) -> ObjectType:
        """Add fields and return the object."""
        self.fields.update({one.name: one for one in fields})
        return self


def text(name: str, length: int = 255, **more: object) -> Field:
    """A text field."""
    return replace(Field(name, "string", length=length), **more)  # type: ignore[arg-type]


def number(name: str, precision: int = 18, scale: int = 0, **more: object) -> Field:
    """A number: `precision` digits in all, `scale` of them behind the point."""
    return replace(Field(name, "double", precision=precision, scale=scale), **more)  # type: ignore[arg-type]


def moment(name: str, **more: object) -> Field:
    """A date with time, in UTC, to the second."""
    return replace(Field(name, "datetime"), **more)  # type: ignore[arg-type]


def checkbox(name: str, **more: object) -> Field:
    """A checkbox: true or false, never null; false unless given."""
    return replace(Field(name, "boolean", nillable=False, default=False), **more)  # type: ignore[arg-type]


def lookup(name: str, *targets: str, **more: object) -> Field:
    """A reference; the relationship is named by the rule `X__c` -> `X__r`, `XId` -> `X`."""
    relationship = name[:-3] + "__r" if name.endswith("__c") else name.removesuffix("Id")
    made = Field(name, "reference", length=18, reference_to=targets, relationship=relationship)
    return replace(made, **more)  # type: ignore[arg-type]


def master(name: str, target: str) -> Field:
    """A master-detail reference: required, and fixed once the record is made (not reparentable: the default)."""
    return lookup(name, target, nillable=False, updateable=False, on_delete="Cascade")
