"""The objects of the emulated org: Salesforce's own and those of the sync, written out from the design's table."""

from __future__ import annotations

from dataclasses import replace

from etl.emulator.salesforce.schema import Field, ObjectType, checkbox, lookup, master, moment, number, text

_COUNTS = ("Enrolled", "Not_Started", "In_Progress", "Pending_Review", "Completed", "Passed", "Failed")
_PLUS_ONLY = ("LU_Key__c", "Removed_In_LearnUpon__c", "Course_Id__c", "Course_Version__c", "Percent_Complete__c")
_MEMBER_PLUS = ("LU_Last_Accessed_At__c", *(f"LU_Number_{name}__c" for name in _COUNTS))
MEMBERSHIP = "LearnUpon_Portal_Membership__c"


def all_objects(namespace: str = "") -> dict[str, ObjectType]:
    """Every object by name; with a namespace the names of LearnUpon's package, without the columns we add to it."""
    made = [*_standard(), *_custom()]
    if namespace:
        made = [_packaged(one, namespace) for one in made if one.name != "LearnUpon_Sync_Run__c"]
    return {one.name: one for one in made}


def _system(*, owner: bool = True) -> list[Field]:
    """Fields every record has (Object reference, "System Fields")."""
    fixed = {"createable": False, "updateable": False, "nillable": False}
    fields = [
        Field("Id", "id", "Record ID", length=18, id_lookup=True, **fixed),  # type: ignore[arg-type]
        checkbox("IsDeleted", createable=False, updateable=False),
        moment("CreatedDate", **fixed),
        lookup("CreatedById", "User", relationship="CreatedBy", **fixed),
        moment("LastModifiedDate", **fixed),
        lookup("LastModifiedById", "User", relationship="LastModifiedBy", **fixed),
        moment("SystemModstamp", **fixed),
    ]
    if owner:
        fields.append(lookup("OwnerId", "Group", "User", relationship="Owner", nillable=False, default="me"))
    return fields


def _profile() -> list[Field]:
    """The learner's columns on Contact and User; the id is an external id that is not unique, as in the package."""
    return [
        number("LU_User_ID__c", external_id=True, id_lookup=True),
        moment("LU_Last_Accessed_At__c"),
        *(number(f"LU_Number_{name}__c") for name in _COUNTS),
    ]


def _person_name() -> list[Field]:
    return [
        text("FirstName", 40),
        text("LastName", 80, nillable=False),
        text("Name", 121, createable=False, updateable=False, nillable=False, name_field=True),
    ]


def _standard() -> list[ObjectType]:
    account = ObjectType("Account", "001").add(
        *_system(), text("Name", 255, nillable=False, name_field=True), text("AccountNumber", 40), text("Phone", 40)
    )
    contact = ObjectType("Contact", "003").add(
        *_system(),
        *_person_name(),
        lookup("MasterRecordId", "Contact", createable=False, updateable=False, relationship="MasterRecord"),
        lookup("AccountId", "Account"),
        Field("Email", "email", length=80, id_lookup=True),
        text("Title", 128),
        text("Department", 80),
        text("Phone", 40),
        *_profile(),
    )
    return [account, contact, _user(), _organization(), *_quiet(), _entity_definition()]


def _user() -> ObjectType:
    """Users: never deletable, only switched off (Object reference, "User")."""
    return ObjectType("User", "005", deletable=False).add(
        *[one for one in _system(owner=False) if one.name != "IsDeleted"],
        *_person_name(),
        text("Username", 80, nillable=False, unique=True, id_lookup=True),
        Field("Email", "email", length=128, nillable=False, id_lookup=True),
        text("Alias", 8, nillable=False, default="alias"),
        checkbox("IsActive", default=True),
        text("TimeZoneSidKey", 40, nillable=False, default="Europe/Dublin"),
        text("LocaleSidKey", 40, nillable=False, default="en_IE"),
        text("EmailEncodingKey", 40, nillable=False, default="UTF-8"),
        text("LanguageLocaleKey", 40, nillable=False, default="en_US"),
        lookup("ProfileId", "Profile", nillable=False, default="profile"),
        text("UserType", 40, nillable=False, default="Standard", createable=False, updateable=False),
        text("FederationIdentifier", 512, unique=True, id_lookup=True, case_sensitive=True),
        *_profile(),
    )


def _organization() -> ObjectType:
    return ObjectType("Organization", "00D", createable=False, deletable=False).add(
        *[one for one in _system(owner=False) if one.name != "IsDeleted"],
        text("Name", 80, nillable=False, name_field=True),
        checkbox("IsSandbox", updateable=False),
        text("InstanceName", 5, updateable=False),
        text("OrganizationType", 40, updateable=False),
        text("NamespacePrefix", 15, updateable=False),
        moment("TrialExpirationDate", updateable=False),
        text("LanguageLocaleKey", 40),
        text("TimeZoneSidKey", 40),
    )


def _quiet() -> list[ObjectType]:
    """Objects that only stand behind references."""
    return [
        ObjectType(name, prefix, createable=False, updateable=False, deletable=False).add(
            *[one for one in _system(owner=False) if one.name != "IsDeleted"],
            text("Name", 255, nillable=False, name_field=True),
        )
        for name, prefix in (("Profile", "00e"), ("Group", "00G"))
    ]


def _entity_definition() -> ObjectType:
    """What SFDMU asks of every object before it moves data."""
    flags = ("IsEverCreatable", "IsEverUpdatable", "IsEverDeletable", "IsQueryable", "IsRetrieveable")
    more = ("IsIdEnabled", "IsCustomizable", "IsDeprecatedAndHidden")
    return ObjectType("EntityDefinition", "4ie", createable=False, updateable=False, deletable=False).add(
        Field("Id", "id", length=18, createable=False, updateable=False, nillable=False),
        *(text(name, createable=False, updateable=False) for name in ("QualifiedApiName", "Label", "KeyPrefix")),
        *(checkbox(name, createable=False, updateable=False) for name in (*flags, *more)),
    )


def _key() -> Field:
    return text("LU_Key__c", 80, external_id=True, id_lookup=True, unique=True, case_sensitive=True)


def _named(pattern: str) -> Field:
    return text("Name", 80, createable=False, updateable=False, nillable=False, auto_number=pattern, name_field=True)


def _custom() -> list[ObjectType]:
    portal = ObjectType("LearnUpon_Portal__c", "a00").add(
        *_system(), text("Name", 80, nillable=False, name_field=True), number("Portal_Id__c"), _key()
    )
    member = ObjectType(MEMBERSHIP, "a01").add(
        *_system(owner=False),
        _named("LUM-{:06d}"),
        master("LearnUpon_Portal__c", "LearnUpon_Portal__c"),
        lookup("Contact__c", "Contact"),
        lookup("User__c", "User"),
        number("Portal_Id__c"),
        number("LU_Portal_Membership_ID__c"),
        _key(),
        checkbox("Removed_In_LearnUpon__c"),
        moment("LU_Last_Accessed_At__c"),
        *(number(f"LU_Number_{name}__c") for name in _COUNTS),
    )
    return [portal, member, *_enrollments(), _sync_run()]


def _enrollments() -> list[ObjectType]:
    course = [
        text("Course_Name__c"),
        number("Course_Id__c"),
        number("Course_Version__c"),
        number("Percent_Complete__c", 6, 2),
    ]
    path = [
        text("Path_Name__c"),
        number("Number_Of_Courses_On_Path__c"),
        number("Number_Of_Courses_Completed_On_Path__c"),
    ]
    return [
        _enrollment("LearnUponEnrollment__c", "a02", "LUE", course, lookup("SFUser__c", "User")),
        _enrollment("LearnUponContactEnrollment__c", "a03", "LUC", course, lookup("SFContact__c", "Contact")),
        _enrollment("LearnUponLearningPathEnrollment__c", "a04", "LUP", path, lookup("SFUser__c", "User")),
        _enrollment("LearnUponLearningPathContactEnrollment__c", "a05", "LUQ", path, lookup("SFContact__c", "Contact")),
    ]


def _enrollment(name: str, prefix: str, counter: str, own: list[Field], person: Field) -> ObjectType:
    return ObjectType(name, prefix).add(
        *_system(),
        _named(counter + "-{:06d}"),
        *(replace(one) for one in own),
        moment("Date_Enrolled__c"),
        moment("Date_Completed__c"),
        text("Status__c", 80),
        number("Score__c", 6, 2),
        number("LUEnrollment__c"),
        number("LUUser__c"),
        lookup(MEMBERSHIP, MEMBERSHIP),
        person,
        _key(),
        checkbox("Removed_In_LearnUpon__c"),
    )


def _sync_run() -> ObjectType:
    """The run log; lengths of its texts are assumed (255), the design does not give them."""
    rows = (number(f"Rows_{name}__c") for name in ("Created", "Updated", "Deleted", "Refused"))
    times = (moment(f"{name}_At__c") for name in ("Started", "Heartbeat", "Finished"))
    return ObjectType("LearnUpon_Sync_Run__c", "a06").add(
        *_system(),
        _named("LUR-{:06d}"),
        _key(),
        text("Run_Id__c"),
        text("Command__c"),
        *times,
        text("Outcome__c"),
        number("Exit_Code__c"),
        *rows,
    )


def _packaged(made: ObjectType, namespace: str) -> ObjectType:
    """The object as the installed package declares it: custom names prefixed, added columns absent."""

    def named(name: str) -> str:
        return f"{namespace}__{name}" if name.endswith(("__c", "__r")) else name

    gone = (*_PLUS_ONLY, *_MEMBER_PLUS) if made.name == MEMBERSHIP else _PLUS_ONLY
    fields = [
        replace(
            one,
            name=named(one.name),
            label=one.label,
            reference_to=tuple(named(target) for target in one.reference_to),
            relationship=named(one.relationship),
        )
        for one in made.fields.values()
        if one.name not in gone
    ]
    return replace(made, name=named(made.name), fields={one.name: one for one in fields})
