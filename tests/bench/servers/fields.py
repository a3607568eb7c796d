"""Objects and fields of the org, from the metadata that ships with the project; values it neither has nor changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

OBJECTS = Path(__file__).parents[3] / "config/salesforce/force-app/main/default/objects"
_NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"
_TYPES = {
    "Text": "string", "Number": "double", "DateTime": "datetime", "Checkbox": "boolean", "Lookup": "reference",
    "MasterDetail": "reference", "Picklist": "picklist",
}  # fmt: skip
PREFIXES = {
    "LearnUpon_Portal__c": "a00", "LearnUpon_Portal_Membership__c": "a01", "LearnUponEnrollment__c": "a02",
    "LearnUponContactEnrollment__c": "a03", "LearnUponLearningPathEnrollment__c": "a04",
    "LearnUponLearningPathContactEnrollment__c": "a05", "LearnUpon_Sync_Run__c": "a06", "Contact": "003",
    "User": "005",
}  # fmt: skip
"""Object and the first three characters of its record ids."""


@dataclass(frozen=True)
class Field:
    """A field as describe gives it."""

    name: str
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    external_id: bool = False
    refers_to: str = ""
    master: bool = False
    writable: bool = True

    @property
    def described(self) -> dict[str, Any]:
        """Return the field as JSON of a describe."""
        return {
            "name": self.name, "label": self.name, "type": self.type, "length": self.length,
            "precision": self.precision, "scale": self.scale, "externalId": self.external_id,
            "unique": self.external_id, "caseSensitive": self.external_id, "createable": self.writable,
            "updateable": self.writable and not self.master, "nillable": True, "restrictedPicklist": False,
            "picklistValues": [], "referenceTo": [self.refers_to] if self.refers_to else [],
            "relationshipOrder": 0 if self.master else None, "cascadeDelete": self.master,
        }  # fmt: skip


_STANDARD = (
    Field("Id", "id", 18, writable=False),
    Field("IsDeleted", "boolean", writable=False),
    Field("CreatedDate", "datetime", writable=False),
    Field("LastModifiedDate", "datetime", writable=False),
    Field("LastModifiedById", "reference", 18, refers_to="User", writable=False),
    Field("SystemModstamp", "datetime", writable=False),
    Field("Name", "string", 80),
)
_PEOPLE = (Field("Email", "email", 80), Field("MasterRecordId", "reference", 18, refers_to="Contact", writable=False))


@cache
def fields_of(name: str) -> dict[str, Field]:
    """Return an object's fields by name; LookupError for an object the org does not have."""
    if name not in PREFIXES:
        raise LookupError(f"no object {name}")
    found = [*_STANDARD, *(_PEOPLE if name in {"Contact", "User"} else ())]
    found += [_field(path) for path in sorted((OBJECTS / name / "fields").glob("*.field-meta.xml"))]
    return {one.name: one for one in found}


def _field(path: Path) -> Field:
    root = ET.parse(path).getroot()  # noqa: S314 - our own file
    told = {child.tag.removeprefix(_NAMESPACE): child.text or "" for child in root}
    return Field(
        told["fullName"],
        _TYPES[told["type"]],
        length=int(told.get("length", 0)),
        precision=int(told.get("precision", 0)),
        scale=int(told.get("scale", 0)),
        external_id=told.get("externalId") == "true",
        refers_to=told.get("referenceTo", ""),
        master=told["type"] == "MasterDetail",
    )


def described(name: str) -> dict[str, Any]:
    """Return the describe of an object."""
    allowed = dict.fromkeys(("createable", "updateable", "deletable", "queryable"), True)
    return {
        "name": name, "label": name, "custom": name.endswith("__c"), "keyPrefix": PREFIXES[name], **allowed,
        "fields": [field.described for field in fields_of(name).values()],
    }  # fmt: skip
