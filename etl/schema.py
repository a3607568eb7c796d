"""The one table of what is written to Salesforce: objects, fields, types and keys; it holds facts and does no I/O.

Local names without a namespace. Source of the names: LearnUpon's package as attested in customers' metadata; fields
with `ours=True` are additions of this project and do not exist in that package.

A frame of an entity has one column a field, named by the field's local API name. In frames a parent reference
(`kind="parent"`) holds the parent's key (`LU_Key__c`), and an `id` holds an 18-character record id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "datetime", "boolean", "id", "parent"]
KEY = "LU_Key__c"
REMOVED = "Removed_In_LearnUpon__c"


@dataclass(frozen=True)
class Field:
    """One field of an object: local name, kind of value, size, and whether LearnUpon's own package lacks it."""

    name: str
    kind: Kind
    length: int = 0
    """Longest text, in characters (text only)."""
    precision: int = 18
    scale: int = 0
    """Digits in all and behind the point (number only)."""
    ours: bool = False
    refers_to: str = ""
    """Local name of the object a parent or an id refers to."""
    label: str = ""

    @property
    def relationship(self) -> str:
        """Return the relationship name of a custom reference field: `X__c` becomes `X__r`."""
        return self.name.removesuffix("__c") + "__r"


@dataclass(frozen=True)
class Entity:
    """One object: its fields in the order of the files, its key, and whose rows it holds."""

    name: str
    """Local API name of the object."""
    row: Literal["portal", "member", "enrollment", "path", "profile", "run"]
    fields: tuple[Field, ...]
    person: Literal["", "Contact", "User"] = ""
    """For enrollments, paths and profiles: which side the learner is on."""
    label: str = ""
    plural: str = ""

    @property
    def key(self) -> str:
        """Return the column rows are matched by: the external id, or the record id of a person."""
        return "Id" if self.row == "profile" else KEY

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of all compared fields, without the key."""
        return tuple(field.name for field in self.fields if field.name != KEY)

    def field(self, name: str) -> Field:
        """Return the field of that local name; KeyError if there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    @property
    def person_field(self) -> str:
        """Return the lookup that names the learner on an enrollment row: SFUser__c or SFContact__c."""
        return f"SF{self.person}__c"


def _text(name: str, length: int = 255, *, ours: bool = False, label: str = "") -> Field:
    return Field(name, "text", length=length, ours=ours, label=label)


def _count(name: str, *, ours: bool = False, label: str = "") -> Field:
    return Field(name, "number", ours=ours, label=label)


def _decimal(name: str, *, ours: bool = False, label: str = "") -> Field:
    return Field(name, "number", precision=6, scale=2, ours=ours, label=label)


def _datetime(name: str, *, ours: bool = False, label: str = "") -> Field:
    return Field(name, "datetime", ours=ours, label=label)


def _person(name: str, refers_to: str, label: str) -> Field:
    return Field(name, "id", refers_to=refers_to, label=label)


KEY_FIELD = _text(KEY, 80, ours=True, label="LU Key")
REMOVED_FIELD = Field(REMOVED, "boolean", ours=True, label="Removed In LearnUpon")

COUNTS: dict[str, str] = {
    "LU_Number_Enrolled__c": "",
    "LU_Number_Not_Started__c": "not_started",
    "LU_Number_In_Progress__c": "in_progress",
    "LU_Number_Pending_Review__c": "pending_review",
    "LU_Number_Completed__c": "completed",
    "LU_Number_Passed__c": "passed",
    "LU_Number_Failed__c": "failed",
}
"""The seven totals and the LearnUpon status each counts; the first counts every enrollment."""


def _totals(*, ours: bool) -> tuple[Field, ...]:
    last = _datetime("LU_Last_Accessed_At__c", ours=ours, label="LU Last Accessed At")
    return (last, *(_count(name, ours=ours, label=name.removesuffix("__c").replace("_", " ")) for name in COUNTS))


PORTAL = Entity(
    "LearnUpon_Portal__c",
    "portal",
    (KEY_FIELD, Field("Name", "text", length=80, label="Portal Name"), _count("Portal_Id__c", label="Portal Id")),
    label="LearnUpon Portal",
    plural="LearnUpon Portals",
)
_PORTAL_PARENT = Field("LearnUpon_Portal__c", "parent", refers_to=PORTAL.name, label="LearnUpon Portal")
MEMBERSHIP = Entity(
    "LearnUpon_Portal_Membership__c",
    "member",
    (
        KEY_FIELD,
        _PORTAL_PARENT,
        _person("Contact__c", "Contact", "Contact"),
        _person("User__c", "User", "User"),
        _count("Portal_Id__c", label="Portal Id"),
        _count("LU_Portal_Membership_ID__c", label="LU Portal Membership ID"),
        REMOVED_FIELD,
        *_totals(ours=True),
    ),
    label="LearnUpon Portal Membership",
    plural="LearnUpon Portal Memberships",
)
_MEMBER_PARENT = Field(
    "LearnUpon_Portal_Membership__c", "parent", refers_to=MEMBERSHIP.name, label="LearnUpon Portal Membership"
)


def _enrolled(
    name: str, row: Literal["enrollment", "path"], person: Literal["Contact", "User"], label: str, *own: Field
) -> Entity:
    fields = (
        KEY_FIELD,
        _MEMBER_PARENT,
        _person(f"SF{person}__c", person, person),
        _count("LUEnrollment__c", label="LU Enrollment"),
        _count("LUUser__c", label="LU User"),
        *own,
        _text("Status__c", 80, label="Status"),
        _decimal("Score__c", label="Score"),
        _datetime("Date_Enrolled__c", label="Date Enrolled"),
        _datetime("Date_Completed__c", label="Date Completed"),
        REMOVED_FIELD,
    )
    return Entity(name, row, fields, person, label, label + "s")


_OF_COURSES = (
    _text("Course_Name__c", label="Course Name"),
    _count("Course_Id__c", ours=True, label="Course Id"),
    _count("Course_Version__c", ours=True, label="Course Version"),
    _decimal("Percent_Complete__c", ours=True, label="Percent Complete"),
)
_OF_PATHS = (
    _text("Path_Name__c", label="Path Name"),
    _count("Number_Of_Courses_On_Path__c", label="Number Of Courses On Path"),
    _count("Number_Of_Courses_Completed_On_Path__c", label="Number Of Courses Completed On Path"),
)
USER_ENROLLMENT = _enrolled("LearnUponEnrollment__c", "enrollment", "User", "LearnUpon Enrollment", *_OF_COURSES)
CONTACT_ENROLLMENT = _enrolled(
    "LearnUponContactEnrollment__c", "enrollment", "Contact", "LearnUpon Contact Enrollment", *_OF_COURSES
)
USER_PATH = _enrolled(
    "LearnUponLearningPathEnrollment__c", "path", "User", "LearnUpon Learning Path Enrollment", *_OF_PATHS
)
CONTACT_PATH = _enrolled(
    "LearnUponLearningPathContactEnrollment__c",
    "path",
    "Contact",
    "LearnUpon Learning Path Contact Enrollment",
    *_OF_PATHS,
)

_PROFILE = (_count("LU_User_ID__c", label="LU User ID"), *_totals(ours=False))
CONTACT = Entity("Contact", "profile", _PROFILE, "Contact", "Contact", "Contacts")
USER = Entity("User", "profile", _PROFILE, "User", "User", "Users")

ENTITIES = (PORTAL, MEMBERSHIP, USER_ENROLLMENT, CONTACT_ENROLLMENT, USER_PATH, CONTACT_PATH, CONTACT, USER)
"""Every object the product writes, parents first: the order of the writes."""
CUSTOM = ENTITIES[:6]
PROFILES = (CONTACT, USER)
BY_NAME = {entity.name: entity for entity in ENTITIES}

RUN_LOG = "LearnUpon_Sync_Run__c"
RUN_LOG_FIELDS = (
    KEY_FIELD,
    _text("Run_Id__c", 40, ours=True, label="Run Id"),
    _text("Command__c", 40, ours=True, label="Command"),
    _datetime("Started_At__c", ours=True, label="Started At"),
    _datetime("Heartbeat_At__c", ours=True, label="Heartbeat At"),
    _datetime("Finished_At__c", ours=True, label="Finished At"),
    _text("Outcome__c", 40, ours=True, label="Outcome"),
    _count("Exit_Code__c", ours=True, label="Exit Code"),
    _count("Rows_Created__c", ours=True, label="Rows Created"),
    _count("Rows_Updated__c", ours=True, label="Rows Updated"),
    _count("Rows_Deleted__c", ours=True, label="Rows Deleted"),
    _count("Rows_Refused__c", ours=True, label="Rows Refused"),
)
"""The optional run log of section 2; an org without it is served without."""
RUN = Entity(RUN_LOG, "run", RUN_LOG_FIELDS, "", "LearnUpon Sync Run", "LearnUpon Sync Runs")
