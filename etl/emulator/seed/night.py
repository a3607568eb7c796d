"""A night of changes: learners at work in LearnUpon, and a person editing Salesforce; it syncs nothing."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from etl.emulator.seed import names
from etl.emulator.seed.courses import stamp
from etl.emulator.seed.training import FINISHED, score

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.learnupon.portal import Portal
    from etl.emulator.learnupon.store import LearnUponStore
    from etl.emulator.learnupon.tables import Row
    from etl.emulator.salesforce.org import SalesforceOrg

SHARE = 0.01  # of a portal's enrollments see something new in a night
EDITED = ("LearnUponContactEnrollment__c", "LearnUponEnrollment__c")


def night(store: LearnUponStore, org: SalesforceOrg, seed: int = 1) -> dict[str, int]:
    """Let a day pass in every portal; returns how often each kind of change happened.

    The same seed on the same rows changes the same things. The edit in Salesforce leaves no entry in the ledger:
    that holds the effects of clients only.
    """
    store.now += timedelta(days=1)
    counts: dict[str, int] = {}
    for portal in store.portals.values():
        changes = _Night(portal, org, random.Random(f"night {seed} {portal.name}"))
        for kind, change in changes.kinds().items():
            counts[kind] = counts.get(kind, 0) + change()
    counts["edited_in_salesforce"] = _edit(org, random.Random(f"edit {seed}"))
    return counts


class _Night:
    """One portal's night. A row is changed once a night, so that the counts add up."""

    def __init__(self, portal: Portal, org: SalesforceOrg, dice: random.Random) -> None:
        self.portal, self.org, self.dice = portal, org, dice
        self.many = max(2, int(len(portal.enrollments) * SHARE))
        self.changed: set[int] = set()
        self.moved: set[int] = set()

    def kinds(self) -> dict[str, Callable[[], int]]:
        return {
            "enrolled": self.enrolled,
            "progressed": self.progressed,
            "completed": self.completed,
            "score_changed": self.score_changed,
            "status_went_back": self.status_went_back,
            "unenrolled_unfinished": lambda: self.unenrolled(finished=False),
            "unenrolled_finished": lambda: self.unenrolled(finished=True),
            "enrollment_deleted": self.deleted,
            "path_enrolled": self.path_enrolled,
            "path_completed": self.path_completed,
            "learner_new": self.learner_new,
            "learner_removed": self.learner_removed,
            "learner_moved_to_user": self.learner_moved,
        }

    def pick(self, statuses: tuple[str, ...], most: int) -> list[Row]:
        """Some live rows with these statuses that nothing has happened to yet tonight."""
        rows = self.portal.enrollments.values()
        free = [row for row in rows if row["status"] in statuses and not row["unenrolled"]]
        free = [row for row in free if row["id"] not in self.changed and row["course_id"] in self.portal.courses]
        chosen = self.dice.sample(free, min(most, len(free)))
        self.changed.update(row["id"] for row in chosen)
        return chosen

    def change(self, row: Row, **fields: Any) -> None:
        self.portal.change_enrollment(row["id"], date_lastaccessed=self.portal.now(), **fields)

    def enrolled(self) -> int:
        learners = sorted(self.portal.users)
        courses = [row["id"] for row in self.portal.courses.values() if row["published_status_id"] == "published"]
        if not learners or not courses:
            return 0
        for _ in range(self.many):
            pair = {"user_id": self.dice.choice(learners), "course_id": self.dice.choice(courses)}
            self.changed.add(self.portal.add_enrollment(**pair)["id"])
        return self.many

    def progressed(self) -> int:
        rows = self.pick(("not_started", "in_progress"), self.many)
        for row in rows:
            started = row["date_started"] or self.portal.now()
            done = min(99, (row["percentage_complete"] or 0) + self.dice.randint(1, 30))
            self.change(row, status="in_progress", date_started=started, percentage_complete=done)
        return len(rows)

    def completed(self) -> int:
        rows = self.pick(("in_progress", "pending_review"), self.many)
        for row in rows:
            status = self.dice.choice(("completed", "passed", "passed", "failed"))
            done = {"status": status, "percentage": score(self.dice, status), "percentage_complete": 100}
            self.change(row, date_completed=self.portal.now(), **done)
        return len(rows)

    def score_changed(self) -> int:
        rows = self.pick(("passed",), 2)
        for row in rows:
            self.change(row, percentage=71 + (row["percentage"] or 0) % 29)  # stays a pass, is another number
        return len(rows)

    def status_went_back(self) -> int:
        """A relaunched course: completed becomes in progress and loses its date (measured)."""
        rows = self.pick(("completed",), 1)
        for row in rows:
            self.change(row, status="in_progress", date_completed=None, percentage_complete=50)
        return len(rows)

    def unenrolled(self, *, finished: bool) -> int:
        rows = self.pick(FINISHED if finished else ("not_started", "in_progress"), 1)
        for row in rows:
            self.portal.unenroll(row["id"])
        return len(rows)

    def deleted(self) -> int:
        rows = self.pick(FINISHED, 1)
        for row in rows:
            self.portal.remove_enrollment(row["id"])
        return len(rows)

    def path_enrolled(self) -> int:
        paths = [row["id"] for row in self.portal.paths.values() if row["published_status_id"] == "published"]
        taken = {(row["user_id"], row["lp_id"]) for row in self.portal.path_enrollments.values()}
        pairs = [(user, path) for user in self.portal.users for path in paths if (user, path) not in taken]
        for user, path in self.dice.sample(pairs, min(2, len(pairs))):
            self.portal.add_path_enrollment(user_id=user, path_id=path)
        return min(2, len(pairs))

    def path_completed(self) -> int:
        rows = [row for row in self.portal.path_enrollments.values() if row["status"] == "in_progress"]
        chosen = self.dice.sample(rows, min(1, len(rows)))
        for row in chosen:
            now = self.portal.now()
            self.portal.change_path_enrollment(
                row["id"], status="completed", date_completed=now, date_lastaccessed=now, percentage=None
            )
        return len(chosen)

    def learner_new(self) -> int:
        """A new Contact becomes a learner and starts a course."""
        if not self.portal.users:
            return 0
        number = 1_000_000 + max(self.portal.users)
        first, last = names.person(self.dice, number)
        address = f"new.{self.portal.name}.{names.email(self.dice, first, last, number)}"
        fields = {"FirstName": first, "LastName": last, "Email": address}
        contact = self.org.insert("Contact", fields, record=False)
        person = {"first_name": first, "last_name": last, "email": address, "last_sign_in_at": self.portal.now()}
        learner = self.portal.add_user(sf_contact_id=contact[:15], is_salesforce_contact=1, **person)
        courses = sorted(self.portal.courses)
        if courses:
            row = self.portal.add_enrollment(user_id=learner["id"], course_id=courses[0], status="in_progress")
            self.changed.add(row["id"])
        self.moved.add(learner["id"])
        return 1

    def learner_removed(self) -> int:
        found = self._quiet_learner(lambda row: bool(row["sf_contact_id"] or row["sf_user_id"]))
        if found is None:
            return 0
        self.portal.remove_user(found["id"])
        return 1

    def learner_moved(self) -> int:
        """A Contact joins the company: a User now, with the same address."""
        found = self._quiet_learner(self._is_live_contact)
        if found is None:
            return 0
        stem = f"moved.{self.portal.name}.{found['id']}.{stamp(self.portal.clock())[:10]}"
        fields = {"FirstName": found["first_name"], "LastName": found["last_name"] or "Moved"}
        fields |= {"Username": f"{stem}@example.com", "Email": found["email"]}
        user = self.org.insert("User", fields, record=False)
        self.portal.change_user(found["id"], sf_contact_id=None, sf_user_id=user, is_salesforce_contact=False)
        return 1

    def _is_live_contact(self, row: Row) -> bool:
        contact = row["sf_contact_id"]
        return bool(contact) and not row["sf_user_id"] and self.org.get("Contact", contact) is not None

    def _quiet_learner(self, fits: Callable[[Row], bool]) -> Row | None:
        """A learner with few rows, so that a night stays an ordinary night for a guard on deletes."""
        rows = [row for row in self.portal.users.values() if row["id"] not in self.moved]
        some = self.dice.sample(rows, min(60, len(rows)))
        fitting = [row for row in some if fits(row)]
        if len(rows) < 10 or not fitting:
            return None
        chosen = min(fitting, key=self._weight)
        self.moved.add(chosen["id"])
        return chosen

    def _weight(self, row: Row) -> tuple[bool, int]:
        """Learners with a row or two first, on no path; those without any row last."""
        taken = row["number_of_enrollments"] + 20 * len(self.portal.of_user("path_enrollments", row["id"]))
        return (taken == 0, taken)


def _edit(org: SalesforceOrg, dice: random.Random) -> int:
    """A person edits an enrollment by hand, where there is one: another score, the status emptied."""
    prefix = f"{org.namespace}__" if org.namespace else ""
    for name in EDITED:
        # by key, since two orgs that hold the same may have got it in another order
        rows = sorted(org.rows(prefix + name), key=lambda row: row.get("LU_Key__c") or row["Id"])
        if rows:
            chosen = rows[dice.randrange(len(rows))]
            edit = {f"{prefix}Score__c": 1.25, f"{prefix}Status__c": None}
            org.update(prefix + name, chosen["Id"], edit, record=False)
            return 1
    return 0
