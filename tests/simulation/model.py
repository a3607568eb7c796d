"""What Salesforce should hold after a run: the design's rules once more, sharing no code with the product.

It looks into the emulators' stores, so it knows the truth; it works on a few rows at a time and sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from runs.stage import MEMBERSHIP
from simulation.ours import (
    ACCESS,
    COUNTED,
    DONE,
    FINISHED,
    LU_ID,
    OWN,
    PORTAL,
    REMOVED,
    ROWS,
    TOTAL_FIELDS,
    Row,
    State,
    moment,
    observed,
)

from etl.emulator.learnupon.portal import Portal
from etl.emulator.learnupon.store import LearnUponStore
from etl.emulator.ledger import Entry
from etl.emulator.salesforce.org import SalesforceOrg


def expected(store: LearnUponStore, org: SalesforceOrg, undone: Iterable[Entry] = ()) -> State:
    """Return what the org should hold once a run has come to its end, LearnUpon and the org being as they are now.

    `undone`: deletes and flags of which the org is to be thought free, the newest first.
    """
    return _Model(store, org, observed(org, undone)).state()


@dataclass
class _Learner:
    """One learner as the design sees them; `side` is None for whom nobody in Salesforce matches."""

    user: Row
    side: str | None
    person: str | None


@dataclass
class _Model:
    store: LearnUponStore
    org: SalesforceOrg
    now: State
    result: State = field(init=False)

    def state(self) -> State:
        self.result = {name: {} for name in OWN}
        strangers = {name: dict(rows) for name, rows in self.now.items()}
        for portal in self.store.portals.values():
            self._portal(portal)
            for rows in strangers.values():
                for key in [key for key in rows if key.split(":")[0] == str(portal.portal_id)]:
                    del rows[key]
        for name in OWN:
            self.result[name] |= strangers[name]
        for side in ("Contact", "User"):
            self.result[side] = self._profiles(side)
        return self.result

    def _portal(self, portal: Portal) -> None:
        number = float(portal.portal_id)
        self.result[PORTAL][str(portal.portal_id)] = {"Name": portal.title, "Portal_Id__c": number}
        learners = {user["id"]: self._learner(user) for user in portal.users.values()}
        listings = {kind: list(self._listed(portal, kind, learners)) for kind in ROWS}
        for kind, listing in listings.items():
            for row in listing:
                self._live_row(portal, kind, row, learners, listings["enrollment"])
            self._old_rows(portal, kind, {row["id"] for row in listing}, learners)
        self._members(portal, learners, listings["enrollment"])

    def _learner(self, user: Row) -> _Learner:
        contact, other = user.get("sf_contact_id"), user.get("sf_user_id")
        side = "Contact" if contact else "User" if other else None
        if contact and other:
            flag = user.get("is_salesforce_contact")
            side = None if flag is None else "Contact" if flag in {1, "1"} else "User"
        person = self._alive(side, contact if side == "Contact" else other) if side else None
        return _Learner(user, side if person else None, person)

    def _alive(self, side: str, claimed: str | None) -> str | None:
        """Return the id of the live record that a claim ends at, merges followed."""
        table = self.org.tables[side]
        found = table.id_of(claimed or "")
        while found is not None and found not in table.rows:
            found = table.bin.get(found, {}).get("MasterRecordId")
        return found

    def _listed(self, portal: Portal, kind: str, learners: dict[int, _Learner]) -> Iterator[Row]:
        """Give what LearnUpon lists, and what it confirms when asked about rows that Salesforce holds."""
        table, parents, column = (
            (portal.enrollments, portal.courses, "course_id")
            if kind == "enrollment"
            else (portal.path_enrollments, portal.paths, "lp_id")
        )
        for row in table.values():
            if row[column] in parents or self._asked(portal, kind, row, learners):
                yield row

    def _asked(self, portal: Portal, kind: str, row: Row, learners: dict[int, _Learner]) -> bool:
        key = f"{portal.portal_id}:{kind}:{row['id']}"
        held = [self.now[name][key] for name in ROWS[kind].values() if key in self.now[name]]
        return any(not _flagged(one) and not _left(learners, one) for one in held)

    def _live_row(
        self, portal: Portal, kind: str, row: Row, learners: dict[int, _Learner], enrollments: list[Row]
    ) -> None:
        key = f"{portal.portal_id}:{kind}:{row['id']}"
        learner = learners.get(row["user_id"])
        if learner is None or learner.side is None:
            for name in ROWS[kind].values():
                if key in self.now[name]:
                    self.result[name][key] = self.now[name][key]
            return
        if row["unenrolled"] and row["status"] not in FINISHED:
            return
        made = _common(portal, row) | {f"SF{learner.side}__c": learner.person}
        made |= _of_course(row) if kind == "enrollment" else _of_path(portal, row, enrollments)
        self.result[ROWS[kind][learner.side]][key] = made

    def _old_rows(self, portal: Portal, kind: str, listed: set[int], learners: dict[int, _Learner]) -> None:
        """Enter what becomes of rows that LearnUpon has no more: finished ones stay, flagged, the others go."""
        labels = {_label(status).lower() for status in FINISHED}
        kept: dict[str, list[tuple[str, Row]]] = {}
        for side, name in ROWS[kind].items():
            for key, row in self.now[name].items():
                head, _, number = key.rpartition(":")
                if head != f"{portal.portal_id}:{kind}" or int(number) in listed:
                    continue
                if _left(learners, row):
                    self.result[name][key] = row
                elif _flagged(row) or str(row["Status__c"]).lower() in labels:
                    kept.setdefault(key, []).append((side, row))
        for key, rows in kept.items():
            self._keep(kind, key, rows, learners)

    def _keep(self, kind: str, key: str, rows: list[tuple[str, Row]], learners: dict[int, _Learner]) -> None:
        """Keep a finished row where its learner is now; a row that stands there already wins."""
        owner = learners.get(int(rows[0][1]["LUUser__c"] or -1))
        wanted = owner.side if owner is not None and owner.side else None
        for side, row in sorted(rows, key=lambda pair: pair[0] != wanted):
            target = wanted or side
            name = ROWS[kind][target]
            if key in self.result[name]:
                continue
            person = owner.person if wanted and owner is not None else row[f"SF{side}__c"]
            values = {column: value for column, value in row.items() if not column.startswith("SF")}
            self.result[name][key] = {**values, REMOVED: True, f"SF{target}__c": person}

    def _members(self, portal: Portal, learners: dict[int, _Learner], enrollments: list[Row]) -> None:
        held = {key: row for key, row in self.now[MEMBERSHIP].items() if key.startswith(f"{portal.portal_id}:member:")}
        for number, learner in learners.items():
            key = f"{portal.portal_id}:member:{number}"
            if learner.side is None:
                if key in held:
                    self.result[MEMBERSHIP][key] = held[key]
                continue
            mine = [row["status"] for row in enrollments if row["user_id"] == number and not row["unenrolled"]]
            counts = [len(mine), *(mine.count(status) for status in COUNTED)]
            self.result[MEMBERSHIP][key] = {
                PORTAL: str(portal.portal_id),
                "Contact__c": learner.person if learner.side == "Contact" else None,
                "User__c": learner.person if learner.side == "User" else None,
                "Portal_Id__c": float(portal.portal_id),
                "LU_Portal_Membership_ID__c": float(number),
                REMOVED: False,
                ACCESS: moment(learner.user["last_sign_in_at"]),
                **{name: float(count) for name, count in zip(TOTAL_FIELDS, counts, strict=True)},
            }
        for key, row in held.items():
            if int(key.rpartition(":")[2]) not in learners:
                self.result[MEMBERSHIP][key] = {**row, REMOVED: True, **dict.fromkeys(TOTAL_FIELDS, 0.0)}

    def _profiles(self, side: str) -> dict[str, Row]:
        """Return everybody's profile: the sum of their memberships; whom no membership names any more is cleared.

        Such a one is known by an id of ours, or, with another id or none, by the membership that still names them now.
        """
        places = [str(portal.portal_id) for portal in self.store.portals.values()]
        ours = {key: row for key, row in self.result[MEMBERSHIP].items() if key.split(":")[0] in places}
        known = {row["LU_Portal_Membership_ID__c"] for row in ours.values()}
        named = {row[f"{side}__c"] for key, row in self.now[MEMBERSHIP].items() if key.split(":")[0] in places}
        found = {}
        for person, profile in self.now[side].items():
            mine = [(places.index(key.split(":")[0]), row) for key, row in ours.items() if row[f"{side}__c"] == person]
            found[person] = profile
            if mine:
                sums = {name: float(sum(row[name] or 0 for _, row in mine)) for name in TOTAL_FIELDS}
                first = min((place, row["LU_Portal_Membership_ID__c"]) for place, row in mine)[1]
                seen = max((row[ACCESS] for _, row in mine if row[ACCESS]), default=None)
                found[person] = {LU_ID: first, ACCESS: seen, **sums}
            elif profile[LU_ID] in known or (person in named and _counted(profile)):
                found[person] = {LU_ID: None, ACCESS: None, **dict.fromkeys(TOTAL_FIELDS, 0.0)}
        return found


def _counted(profile: Row) -> bool:
    """Say whether a profile says anything of enrollments: a time of access alone is nobody's count."""
    return any(profile[name] is not None for name in (LU_ID, *TOTAL_FIELDS))


def _flagged(row: Row) -> bool:
    """Say whether a row is flagged and more than what the upsert of a flag makes of a row deleted meanwhile."""
    return bool(row[REMOVED]) and (row["LUUser__c"] is not None or row["Status__c"] is not None)


def _left(learners: dict[int, _Learner], row: Row) -> bool:
    """Say whether a row's learner is listed but matched to nobody: such rows are left as they are."""
    return (owner := learners.get(int(row["LUUser__c"] or -1))) is not None and owner.side is None


def _label(status: str) -> str:
    return status.replace("_", " ").title()


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _common(portal: Portal, row: Row) -> Row:
    return {
        "Status__c": _label(row["status"]),
        "Score__c": _number(row["percentage"]),
        "Date_Enrolled__c": moment(row["date_enrolled"]),
        "Date_Completed__c": moment(row["date_completed"]),
        "LUEnrollment__c": float(row["id"]),
        "LUUser__c": float(row["user_id"]),
        REMOVED: bool(row["unenrolled"]),
        MEMBERSHIP: f"{portal.portal_id}:member:{row['user_id']}",
    }


def _of_course(row: Row) -> Row:
    return {
        "Course_Name__c": row["course_name"],
        "Course_Id__c": float(row["course_id"]),
        "Course_Version__c": _number(row["version"]),
        "Percent_Complete__c": _number(row["percentage_complete"]),
    }


def _of_path(portal: Portal, row: Row, enrollments: list[Row]) -> Row:
    courses = [one for one in dict.fromkeys(portal.path_courses.get(row["lp_id"], ())) if one in portal.courses]
    mine = [one for one in enrollments if one["user_id"] == row["user_id"] and not one["unenrolled"]]
    done = [one for one in mine if one["status"] in DONE]
    sources = {course: portal.courses[course]["source_id"] for course in courses}
    ids, source_ids = ({one[name] for one in done} for name in ("course_id", "course_source_id"))
    through = [course for course in courses if course in ids or sources[course] in source_ids]
    return {
        "Path_Name__c": row["lp_name"],
        "Number_Of_Courses_On_Path__c": float(len(courses)),
        "Number_Of_Courses_Completed_On_Path__c": float(len(through)),
    }
