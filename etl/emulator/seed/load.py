"""Puts an invented world into the emulated LearnUpon and the emulated org; it invents nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etl.emulator.learnupon.portal import Portal
    from etl.emulator.learnupon.store import LearnUponStore
    from etl.emulator.salesforce.org import SalesforceOrg
    from etl.emulator.seed.generate import World
    from etl.emulator.seed.shape import Learner, Person, PortalRows

CUSTOM_FIELDS = [
    {"id": 10_000, "type_id": 1, "label": "Job Title"},
    {"id": 10_001, "type_id": 4, "label": "Region", "predefined_values": "EMEA,APAC,AMER"},
]


def load(world: World, store: LearnUponStore, org: SalesforceOrg) -> dict[str, str]:
    """Load people and portals without a trace in the ledger; returns the record id of every person by its ref."""
    ids = _load_people(world.people, org)
    for rows in world.portals:
        portal = store.add_portal(rows.name, rows.portal_id, rows.title)
        _load_portal(rows, portal, ids)
    if world.portals:
        store.portals[world.portals[0].name].sub_portals = [rows.name for rows in world.portals[1:]]
    store.touch()
    return ids


def person_fields(person: Person) -> dict[str, Any]:
    """A person as a Contact or User record; Users need a user name that no other org has."""
    fields: dict[str, Any] = {"FirstName": person.first_name, "LastName": person.last_name, "Email": person.email}
    if person.kind == "User":
        fields |= {"Username": f"{person.ref.lower()}.{person.email}", "IsActive": person.active}
    return fields


def _load_people(people: list[Person], org: SalesforceOrg) -> dict[str, str]:
    """Insert everyone, then delete and merge: a merged Contact must have existed."""
    mark = len(org.ledger.entries)
    ids = {one.ref: org.insert(one.kind, person_fields(one), record=False) for one in people}
    for one in people:
        if one.deleted:
            org.delete("Contact", ids[one.ref], record=False)
        if one.merged_into is not None:
            org.merge_contacts(ids[one.merged_into], ids[one.ref])
    if not mark:
        org.ledger.clear()  # merges always leave a trace; the world before the first run is no effect of a run
    return ids


def _load_portal(rows: PortalRows, portal: Portal, ids: dict[str, str]) -> None:
    portal.custom_fields = [dict(one) for one in CUSTOM_FIELDS]
    for place, learner in enumerate(rows.learners):
        portal.add_user(**learner_fields(learner, ids), **_custom_data(place))
    for course in rows.courses:
        kept = {"source_id": course.source_id, "version": course.version, "name": course.name, "id": course.id}
        state = {"published_status_id": course.published_status_id, "date_published": course.date_published}
        portal.add_course(licensed=course.licensed, **kept, **state)
    for one in rows.enrollments:
        portal.add_enrollment(id=one.id, user_id=one.user_id, course_id=one.course_id, **one.fields)
    for path in rows.paths:
        portal.add_path(id=path.id, name=path.name, courses=path.courses, published_status_id=path.published_status_id)
    for taken in rows.path_enrollments:
        portal.add_path_enrollment(id=taken.id, user_id=taken.user_id, path_id=taken.path_id, **taken.fields)
    _settle_courses(rows, portal)


def _settle_courses(rows: PortalRows, portal: Portal) -> None:
    """Delete what was deleted, leaving orphans; bring some counters up to date and leave the others stale."""
    for place, course in enumerate(rows.courses):
        if course.deleted:
            portal.remove_course(course.id)
        elif place % 3 == 0 and len(portal.enrollments) < 20_000:
            portal.recount(course.id)
    members = [learner.id for learner in rows.learners[::5]]
    if members:
        portal.add_group(title=f"{rows.title}: everyone's fifth", user_ids=members)


def learner_fields(learner: Learner, ids: dict[str, str]) -> dict[str, Any]:
    """A learner as a LearnUpon user, its references turned into record ids of 15 or 18 characters."""
    length = 18 if learner.long_ids else 15
    contact = ids[learner.contact][:length] if learner.contact is not None else learner.raw_contact_id
    user = ids[learner.user][:length] if learner.user is not None else None
    return {
        "id": learner.id,
        "first_name": learner.first_name,
        "last_name": learner.last_name,
        "email": learner.email,
        "sf_contact_id": contact,
        "sf_user_id": user,
        "is_salesforce_contact": learner.is_salesforce_contact,
        "created_at": learner.created_at,
        "updated_at": learner.last_sign_in_at or learner.created_at,
        "last_sign_in_at": learner.last_sign_in_at,
        **learner.more,
    }


def _custom_data(place: int) -> dict[str, Any]:
    if place % 2:
        return {}
    region = ("EMEA", "APAC", "AMER")[place % 3]
    values = [{"definition_id": 10_000, "value": "Analyst"}, {"definition_id": 10_001, "value": region}]
    return {"CustomData": {"Job Title": "Analyst", "Region": region}, "customDataFieldValues": values}
