"""Believable reports for the tests of how they are shown; invented people and ids only."""

from __future__ import annotations

from datetime import UTC, datetime

from etl.report.model import Change, GuardLine, ObjectCounts, PortalLine, Report

STARTED = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script><img src=https://evil.example.com/x.png onerror=alert(1)>"
HEBREW = "מבוא לבטיחות בעבודה"


def night() -> Report:
    """Return the report of an ordinary night: some of everything, nothing alarming."""
    return Report(
        "20261122T010000Z-1a2b",
        started_at=STARTED,
        finished_at=datetime(2026, 11, 22, 1, 3, 12, tzinfo=UTC),
        org_id="00D5g000004xyzAEAQ",
        portals=[
            PortalLine("academy", 12345, 5_012, 4_998, 14, complete=True),
            PortalLine("partners-emea", 67890, 811, 811, 0, complete=True),
        ],
        objects={
            "LearnUpon_Portal__c": _done(unchanged=2),
            "LearnUpon_Portal_Membership__c": _done(create=12, update=143, unchanged=5_654, kept=7),
            "LearnUponEnrollment__c": _done(create=4, update=21, delete=1, unchanged=2_011),
            "LearnUponContactEnrollment__c": _done(
                create=212, update=438, delete=9, unchanged=19_956, kept=31, unconfirmed=3
            ),
            "LearnUponLearningPathEnrollment__c": _done(),
            "LearnUponLearningPathContactEnrollment__c": _done(update=17, unchanged=1_204),
            "Contact": _done(update=131, unchanged=5_302),
            "User": _done(update=8, unchanged=368),
        },
        guards=[
            GuardLine("max_deletes", 10, 500),
            GuardLine("max_delete_percent", 0.04, 5, where="LearnUponEnrollment__c"),
            GuardLine("max_update_percent", 2.47, 50, where="LearnUpon_Portal_Membership__c"),
            GuardLine("max_source_shrink_percent", 0.4, 20, where="enrollments of academy"),
        ],
        api_calls={"learnupon": 412, "salesforce": 46},
        jobs=["7505g00000aBcDeAAK", "7505g00000aBcDfAAK", "7505g00000aBcDgAAK"],
        warnings=[
            "2 course names were longer than 255 characters and were cut",
            'status "on_hold" is new: carried as On Hold',
        ],
        unmatched_reasons={"no_salesforce_id": 9, "contact_deleted": 4, "both_ids_undecided": 1},
        samples=changes(),
        show_values=True,
    )


def _done(**counts: int) -> ObjectCounts:
    """Return the counts of an object whose writes all went through."""
    row = ObjectCounts(**counts)
    row.desired = row.create + row.update + row.unchanged + row.rejected
    row.existing = row.update + row.unchanged + row.delete + row.unconfirmed
    row.created, row.updated, row.deleted = row.create, row.update, row.delete
    return row


def changes() -> list[Change]:
    """Return a sample of changes, with a hostile name, a right-to-left one, a blank, and a long text."""
    name = "LearnUponContactEnrollment__c"
    return [
        Change(name, "create", "12345:enrollment:88121", "Course_Name__c", None, HEBREW),
        Change(name, "create", "12345:enrollment:88121", "Status__c", None, "Not Started"),
        Change(name, "update", "12345:enrollment:77001", "Status__c", "In Progress", "Completed"),
        Change(name, "update", "12345:enrollment:77001", "Score__c", None, 87.5),
        Change(
            name,
            "update",
            "12345:enrollment:77001",
            "Date_Completed__c",
            None,
            datetime(2026, 11, 21, 16, 4, tzinfo=UTC),
        ),
        Change(name, "update", "12345:enrollment:77002", "Course_Name__c", "Safety at work", HOSTILE),
        Change(name, "update", "12345:enrollment:77003", "Score__c", 0.0, None),
        Change(name, "delete", "12345:enrollment:60911", reason="unenrolled"),
        Change("Contact", "update", "0035g00000QwErTAAV", "LU_Number_Completed__c", 4, 5),
        Change("Contact", "update", "0035g00000QwErTAAV", "LU_Number_In_Progress__c", 2, 1),
    ]


def plan() -> Report:
    """Return the same night as a plan: nothing written yet, values hidden."""
    report = night()
    report.command, report.show_values, report.jobs = "plan", False, []
    for row in report.objects.values():
        row.created = row.updated = row.deleted = 0
    return report


def nothing_to_do() -> Report:
    """Return the report of a run that found everything as it should be."""
    report = plan()
    report.command, report.samples, report.warnings = "run", [], []
    for row in report.objects.values():
        row.unchanged += row.update
        row.create = row.update = row.delete = row.unconfirmed = 0
        row.desired = row.existing = row.unchanged
    return report


def guarded() -> Report:
    """Return the report of a run that a guard stopped, at a size that strains the layout."""
    report = plan()
    report.command, report.outcome, report.exit_code = "run", "guard", 3
    report.error = "max_deletes: 1,204,331 rows would be deleted, 500 are allowed; nothing was written"
    row = report.objects["LearnUponContactEnrollment__c"]
    row.delete, row.unchanged = 1_204_331, 10_000_000
    row.desired = row.create + row.update + row.unchanged
    row.existing = row.update + row.unchanged + row.delete + row.unconfirmed
    report.guards = [
        GuardLine("max_update_percent", 61.2, 50, overridden=True, where="User"),
        GuardLine("max_deletes", 1_204_332, 500, tripped=True),
        GuardLine("max_delete_percent", 10.75, 5, tripped=True, where="LearnUponContactEnrollment__c"),
        GuardLine("max_source_shrink_percent", 0, 20),
    ]
    report.overrides = {"allow_updates": 1000}
    return report


def refused() -> Report:
    """Return the report of a run in which Salesforce refused some rows."""
    report = night()
    report.outcome, report.exit_code = "rows_refused", 1
    row = report.objects["LearnUponContactEnrollment__c"]
    row.created, row.refused, row.unknown = 207, 4, 1
    report.refused_reasons = {"FIELD_CUSTOM_VALIDATION_EXCEPTION": 3, "UNABLE_TO_LOCK_ROW": 1}
    return report


def unavailable() -> Report:
    """Return the report of a run that ended before it knew anything."""
    error = "LearnUpon academy: GET /api/v1/users failed after 5 attempts in 12 s: HTTP 503"
    return Report("20261122T010000Z-9f00", outcome="unavailable", exit_code=69, started_at=STARTED, error=error)


def named(name: str) -> Report:
    """Return a night whose portal, warnings and error all carry that name."""
    report = night()
    report.portals[0].name = name
    report.warnings.append(name)
    report.unmatched_reasons[name] = 3
    report.refused_reasons[name] = 2
    report.error = name
    report.samples = [Change("Contact", "update", name, "LU_User_ID__c", name, name)]
    return report
