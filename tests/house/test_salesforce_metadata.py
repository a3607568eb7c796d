"""The Salesforce objects that are deployed: valid metadata, and the very fields the program writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from house.metadata_checker import NAMESPACE, Definition, check, definition
from lxml import etree

from etl.schema import ENTITIES, KEY, RUN, Entity, Field

ROOT = Path(__file__).parents[2] / "config" / "salesforce"
SOURCE = ROOT / "force-app" / "main" / "default"
OBJECTS = (*ENTITIES, RUN)
CUSTOM = tuple(entity for entity in OBJECTS if entity.name.endswith("__c"))
DELETED_FROM = {entity.name for entity in OBJECTS if entity.row in ("enrollment", "path", "run")}


@pytest.fixture(scope="module")
def known() -> Definition:
    """Read the definition once for all tests."""
    return definition()


def values(path: Path) -> dict[str, str]:
    """Return the plain elements of a metadata file by name."""
    return {etree.QName(child).localname: child.text or "" for child in etree.parse(path).getroot()}


def entries(element: str) -> Iterator[dict[str, str]]:
    """Yield the entries of one kind in the permission set."""
    root = etree.parse(SOURCE / "permissionsets" / "LearnUpon_Sync.permissionset-meta.xml").getroot()
    for entry in root.iter(f"{{{NAMESPACE}}}{element}"):
        yield {etree.QName(child).localname: child.text or "" for child in entry}


def custom_fields(entity: Entity) -> dict[str, Field]:
    """Return the fields a deployment makes: all but the standard name."""
    return {field.name: field for field in entity.fields if field.name.endswith("__c")}


def is_master(entity: Entity, field: Field) -> bool:
    """Say whether a reference is the master of a master-detail: the portal of a membership is the only one."""
    return field.kind == "parent" and entity.row == "member"


def wanted(entity: Entity, field: Field) -> dict[str, str]:
    """Return what the metadata of a field must say, from the table of fields the program works by."""
    key = field.name == KEY
    common = {"fullName": field.name, "label": field.label}
    if field.kind == "text":
        unique = {"externalId": str(key).lower(), "unique": str(key).lower()} | (
            {"caseSensitive": "true"} if key else {}
        )
        return common | unique | {"type": "Text", "length": str(field.length), "required": "false"}
    if field.kind == "number":
        size = {"precision": str(field.precision), "scale": str(field.scale)}
        external = {"externalId": str(field.name == "LU_User_ID__c").lower(), "unique": "false"}
        return common | size | external | {"type": "Number", "required": "false"}
    if field.kind == "datetime":
        return common | {"type": "DateTime", "required": "false"}
    if field.kind == "boolean":
        return common | {"type": "Checkbox", "defaultValue": "false"}
    refers = {"referenceTo": field.refers_to}
    if is_master(entity, field):
        return common | refers | {"type": "MasterDetail", "reparentableMasterDetail": "false"}
    return common | refers | {"type": "Lookup", "deleteConstraint": "SetNull", "required": "false"}


def test_every_file_is_valid_metadata(known: Definition) -> None:
    """Every metadata file agrees with the Metadata API's definition, so that a deployment can read it."""
    found = {path.name: check(path, known) for path in SOURCE.rglob("*-meta.xml")}
    assert len(found) > 50
    assert {name: faults for name, faults in found.items() if faults} == {}


FAULTS = {
    "misspelt element": ("unique>", "uniqe>", "no element uniqe"),
    "unknown enumeration value": ("<type>Text</type>", "<type>Txt</type>", "'Txt' is no FieldType"),
    "not a boolean": ("<externalId>true", "<externalId>yes", "'yes' is no boolean"),
    "not a whole number": ("<length>80", "<length>eighty", "'eighty' is no int"),
    "twice": ("<label>", "<label>Other</label><label>", "label stands 2 times"),
    "missing end": ("</CustomField>", "", "not well-formed"),
    "another kind of file": ("CustomField", "CustomObject", "a .field file holds CustomObject"),
    "another name": ("<fullName>LU_Key__c", "<fullName>Key__c", "named LU_Key__c, its component Key__c"),
    "no kind of metadata": ("CustomField", "CustomFeld", "no kind of metadata"),
    "foreign namespace": ("2006/04/metadata", "2006/05/metadata", "no kind of metadata"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_checker_finds_planted_faults(fault: str, known: Definition, tmp_path: Path) -> None:
    """The checker is no rubber stamp: each kind of fault planted into a good file is found and named."""
    good = SOURCE / "objects" / "LearnUpon_Portal__c" / "fields" / "LU_Key__c.field-meta.xml"
    old, new, told = FAULTS[fault]
    text = good.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / good.name).write_text(text.replace(old, new), encoding="utf-8")
    assert told in "\n".join(check(tmp_path / good.name, known))


def test_the_checker_finds_torn_and_missing_entries(known: Definition, tmp_path: Path) -> None:
    """Equal entries of a permission set stand together and each names its field, or a deployment refuses the file."""
    path = tmp_path / "Torn.permissionset-meta.xml"
    entry = "<fieldPermissions><field>Contact.X__c</field><editable>true</editable></fieldPermissions>"
    bare = "<fieldPermissions><editable>true</editable></fieldPermissions>"
    path.write_text(
        f'<PermissionSet xmlns="{NAMESPACE}">{entry}<label>Torn</label>{bare}</PermissionSet>', encoding="utf-8"
    )
    told = "\n".join(check(path, known))
    assert "fieldPermissions is torn apart" in told
    assert "field is missing in PermissionSetFieldPermissions" in told


@pytest.mark.parametrize("entity", OBJECTS, ids=lambda entity: entity.name)
def test_the_fields_are_those_the_program_writes(entity: Entity) -> None:
    """Each object has exactly the fields of etl/schema.py, with the kind, size, label and key it counts on."""
    folder = SOURCE / "objects" / entity.name / "fields"
    found = {path.name.partition(".")[0]: values(path) for path in folder.glob("*.field-meta.xml")}
    assert found.keys() == custom_fields(entity).keys()
    for name, field in custom_fields(entity).items():
        assert found[name].items() >= wanted(entity, field).items(), name
        assert found[name]["description"], name


@pytest.mark.parametrize("entity", CUSTOM, ids=lambda entity: entity.name)
def test_the_objects_are_named_as_the_program_names_them(entity: Entity) -> None:
    """Labels agree, the Bulk API is allowed, and a name is only asked for where the program writes one."""
    path = SOURCE / "objects" / entity.name / f"{entity.name}.object-meta.xml"
    found = values(path)
    wanted_labels = {"label": entity.label, "pluralLabel": entity.plural, "deploymentStatus": "Deployed"}
    assert found.items() >= wanted_labels.items()
    # One of the three alone is refused: they are switched on together (Metadata API guide, CustomObject).
    assert {found[name] for name in ("enableBulkApi", "enableSharing", "enableStreamingApi")} == {"true"}
    kind = etree.parse(path).findtext(f"{{{NAMESPACE}}}nameField/{{{NAMESPACE}}}type")
    assert kind == ("Text" if any(field.name == "Name" for field in entity.fields) else "AutoNumber")
    assert len(found["description"]) <= 1000


def test_rows_with_learners_are_private() -> None:
    """What a learner scored is personal: nobody sees it until an admin shares it; memberships follow their portal."""
    sharing = {
        e.name: values(SOURCE / "objects" / e.name / f"{e.name}.object-meta.xml")["sharingModel"] for e in CUSTOM
    }
    assert sharing.pop("LearnUpon_Portal_Membership__c") == "ControlledByParent"
    assert set(sharing.values()) == {"Private"}


def test_related_lists_have_names_of_their_own() -> None:
    """Two lookups to one object need two relationship names, or the second is refused."""
    lookups = [
        (found["referenceTo"], found["relationshipName"])
        for path in SOURCE.rglob("*.field-meta.xml")
        if "referenceTo" in (found := values(path))
    ]
    assert len(lookups) == len(set(lookups)) == 11
    assert all(len(name) <= 40 for _, name in lookups)


def test_list_views_show_fields_that_exist() -> None:
    """A list view names only fields of its object."""
    for entity in CUSTOM:
        path = SOURCE / "objects" / entity.name / "listViews" / "All.listView-meta.xml"
        columns = {column.text for column in etree.parse(path).iter(f"{{{NAMESPACE}}}columns")}
        assert columns <= {"NAME", *custom_fields(entity)}


def test_the_permission_set_opens_every_field_the_program_writes_and_no_other() -> None:
    """Field access: all fields written, nothing else; a master-detail field takes none (a deployment refuses it)."""
    editable = {entry["field"] for entry in entries("fieldPermissions") if entry["editable"] == "true"}
    read_only = {entry["field"] for entry in entries("fieldPermissions") if entry["editable"] == "false"}
    assert editable == {
        f"{entity.name}.{field.name}"
        for entity in OBJECTS
        for field in custom_fields(entity).values()
        if not is_master(entity, field)
    }
    # Matching by e-mail reads a Contact's address; User.Email is required by Salesforce and takes no field access.
    assert read_only == {"Contact.Email"}
    assert {entry["readable"] for entry in entries("fieldPermissions")} == {"true"}


def test_the_permission_set_grants_no_more_than_the_work_needs() -> None:
    """Object access: deletes only where a rule deletes, people are never created or deleted, and no access to all."""
    found = {
        entry["object"]: {right for right, given in entry.items() if given == "true"}
        for entry in entries("objectPermissions")
    }
    assert found.pop("Account") == {"allowRead"}  # Salesforce grants no Contact without its Account
    assert found.pop("Contact") == {"allowRead", "allowEdit"}
    write = {"allowRead", "allowCreate", "allowEdit"}
    assert found == {e.name: write | ({"allowDelete"} if e.name in DELETED_FROM else set()) for e in CUSTOM}
    assert [entry["name"] for entry in entries("userPermissions")] == ["ApiEnabled"]


def test_the_project_file_points_at_the_source() -> None:
    """The sf command line finds the source, without a namespace, at the API version the program speaks."""
    project = json.loads((ROOT / "sfdx-project.json").read_text(encoding="utf-8"))
    assert [ROOT / package["path"] for package in project["packageDirectories"]] == [ROOT / "force-app"]
    assert project["namespace"] == ""
    assert project["sourceApiVersion"] == "67.0"
