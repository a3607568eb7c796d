"""What the org declares is read, and what cannot serve is found."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from salesforce_kit import world

from etl.emulator.faults import Fault
from etl.errors import Unavailable
from etl.salesforce.describe import Described, FieldSpec, ObjectSpec, check_described, describe, describe_object, needed
from etl.schema import CONTACT, CONTACT_ENROLLMENT, ENTITIES, KEY, MEMBERSHIP, PORTAL, USER, Entity

TYPES = {
    "text": "string", "number": "double", "datetime": "datetime", "boolean": "boolean", "id": "reference",
    "parent": "reference",
}  # fmt: skip


def sound(entity: Entity) -> ObjectSpec:
    """Return an object that can hold everything."""
    fields = {
        one.name: FieldSpec(one.name, TYPES[one.kind], external_id=one.name == KEY, unique=one.name == KEY)
        for one in entity.fields
    }
    return ObjectSpec(entity.name, True, True, True, True, fields)


def check(entity: Entity, field: str = "", object_changes: dict[str, Any] | None = None, **changes: Any) -> list[Any]:
    """Check an object that is sound but for these changes, of one field or of the object."""
    spec = sound(entity)
    if field:
        spec = dataclasses.replace(
            spec, fields={**spec.fields, field: dataclasses.replace(spec.fields[field], **changes)}
        )
    spec = dataclasses.replace(spec, **(object_changes or {}))
    return check_described(Described({entity.name: spec}, (entity,)), "")


def test_our_own_metadata_serves() -> None:
    """The org with this project's metadata has no problem, for every object."""
    with world() as served:
        described = describe(served.connect(), ENTITIES)
        assert check_described(described, "") == []
        key = described.objects[MEMBERSHIP.name].fields[KEY]
        assert (key.length, key.external_id, key.unique, key.case_sensitive) == (80, True, True, True)
        assert described.objects[MEMBERSHIP.name].fields["LearnUpon_Portal__c"].master_detail
        assert described.objects[CONTACT_ENROLLMENT.name].fields["Score__c"].scale == 2


def test_package_serves() -> None:
    """The org with LearnUpon's package has no problem in its namespace, though our additions are not there."""
    with world(namespace="LearnUponP") as served:
        org = served.connect(namespace="LearnUponP")
        described = describe(org, ENTITIES)
        assert check_described(described, "LearnUponP") == []
        assert "Portal_Id__c" in described.objects[MEMBERSHIP.name].fields
        assert KEY not in described.objects[MEMBERSHIP.name].fields


def test_package_without_its_namespace() -> None:
    """Without the namespace in the configuration the package's objects are missing, and that is said."""
    with world(namespace="LearnUponP") as served:
        problems = check_described(describe(served.connect(), ENTITIES), "")
        assert {one.object for one in problems if not one.field} == {one.name for one in ENTITIES[:6]}


def test_missing_field() -> None:
    """A field that is not there, or that the user may not see, is missing, and the remedy is told."""
    with world() as served:
        del served.store.objects["Contact"].fields["LU_User_ID__c"]
        problems = check_described(describe(served.connect(), ENTITIES), "")
        assert [(one.object, one.field, one.kind) for one in problems] == [("Contact", "LU_User_ID__c", "missing")]
        assert all(one.remedy for one in problems)


def test_read_only_field() -> None:
    """A field that the user may not edit is a matter of permission."""
    with world() as served:
        served.store.read_only_fields = {"Contact.LU_Number_Failed__c", "LearnUponContactEnrollment__c.Score__c"}
        problems = check_described(describe(served.connect(), ENTITIES), "")
        assert {(one.object, one.field, one.kind) for one in problems} == {
            ("Contact", "LU_Number_Failed__c", "permission"),
            ("LearnUponContactEnrollment__c", "Score__c", "permission"),
        }


@pytest.mark.parametrize(
    ("field", "type_", "fits"),
    [
        ("Status__c", "picklist", True), ("Status__c", "combobox", True), ("Course_Name__c", "textarea", True),
        ("Status__c", "double", False), ("Score__c", "percent", True), ("Score__c", "currency", True),
        ("LUUser__c", "int", True), ("LUUser__c", "string", False), ("Date_Enrolled__c", "date", False),
        ("Removed_In_LearnUpon__c", "string", False), ("SFContact__c", "string", False),
        ("LearnUpon_Portal_Membership__c", "id", False), ("Course_Name__c", "multipicklist", False),
    ],
)  # fmt: skip
def test_types(field: str, type_: str, fits: bool) -> None:  # noqa: FBT001 - a case of the table
    """What a real org declares is taken as long as it can hold the value; a date has no time of day."""
    problems = check(CONTACT_ENROLLMENT, field, type=type_)
    assert [(one.field, one.kind) for one in problems] == ([] if fits else [(field, "missing")])


@pytest.mark.parametrize("change", [{"unique": False}, {"external_id": False}])
def test_key_must_be_unique(change: dict[str, Any]) -> None:
    """The key must be a unique external id: otherwise an upsert could write two rows."""
    assert [(one.field, one.kind) for one in check(PORTAL, KEY, **change)] == [(KEY, "missing")]


@pytest.mark.parametrize(
    ("entity", "change", "verbs"),
    [
        (CONTACT_ENROLLMENT, {"deletable": False}, ["delete"]),
        (MEMBERSHIP, {"deletable": False}, []),
        (MEMBERSHIP, {"createable": False}, ["create"]),
        (CONTACT, {"createable": False, "deletable": False}, []),
        (USER, {"updateable": False}, ["edit"]),
        (PORTAL, {"queryable": False}, ["read"]),
    ],
)
def test_rights_on_objects(entity: Entity, change: dict[str, bool], verbs: list[str]) -> None:
    """Asked for is only what is needed: people are never created or deleted, portals and memberships never deleted."""
    problems = check(entity, object_changes=change)
    assert [one.what for one in problems] == [f"the user may not {verb} it" for verb in verbs]


def test_rights_on_fields() -> None:
    """A master-detail parent need not be editable, a lookup must be; a person's fields need not be createable."""
    fixed: dict[str, Any] = {"updateable": False, "master_detail": True}
    assert check(MEMBERSHIP, "LearnUpon_Portal__c", **fixed) == []
    assert len(check(CONTACT_ENROLLMENT, "LearnUpon_Portal_Membership__c", updateable=False)) == 1
    assert check(CONTACT, "LU_User_ID__c", createable=False) == []
    assert len(check(CONTACT_ENROLLMENT, "LUUser__c", createable=False)) == 1


def test_package_lacks_additions() -> None:
    """In a namespace our additional fields are not asked for."""
    assert KEY in {one.name for one in needed(PORTAL, "")}
    assert [one.name for one in needed(PORTAL, "LearnUponP")] == ["Name", "Portal_Id__c"]


def test_describe_of_another_kind() -> None:
    """An answer to describe that lists no fields says nothing about the org: 69."""
    with world() as served:
        org = served.connect()
        served.faults.add(Fault("describe", status=200, body="{}", headers={"Content-Type": "application/json"}))
        with pytest.raises(Unavailable, match="no list of fields"):
            describe_object(org, "Contact")


def test_picklist() -> None:
    """The active values of a restricted picklist are known."""
    raw = {
        "name": "Status__c", "type": "picklist", "restrictedPicklist": True, "relationshipOrder": None,
        "picklistValues": [{"value": "Passed", "active": True}, {"value": "Old", "active": False}],
    }  # fmt: skip
    body = {"name": "Contact", "createable": True, "updateable": True, "deletable": True, "fields": [raw]}
    with world() as served:
        org = served.connect()
        served.faults.add(Fault("describe", status=200, body=json.dumps(body)))
        spec = describe_object(org, "Contact")
        assert spec is not None
        assert (spec.fields["Status__c"].restricted, spec.fields["Status__c"].values) == (True, ("Passed",))
