"""Invented learners for every case of matching a LearnUpon user to a Salesforce person; it matches nothing itself."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from etl.emulator.seed import names
from etl.emulator.seed.courses import stamp
from etl.emulator.seed.shape import Learner, Person

if TYPE_CHECKING:
    import random
    from datetime import datetime

# case -> weight once every case has appeared: the usual ones are common, the odd ones rare
CASES = {
    "contact": 56,
    "user": 20,
    "both_contact": 3,
    "both_user": 3,
    "merged": 1,
    "merged_twice": 1,
    "deleted": 1,
    "unknown_id": 1,
    "no_such_form": 1,
    "email_contact": 4,
    "email_contacts": 2,
    "email_user": 2,
    "email_both": 1,
    "inactive_user": 1,
    "none": 3,
}
UNKNOWN_ID = "0035g0000Z"  # ten characters that no id of the emulated org begins with


class People:
    """Makes learners of one world after another, and the Salesforce people they refer to."""

    def __init__(self, dice: random.Random, now: datetime) -> None:
        """Start with nobody."""
        self.dice, self.now = dice, now
        self.people: list[Person] = []
        self.made = 0
        self._turn = 0

    def learner(self, learner_id: int) -> Learner:
        """The next learner: all cases in turn, four times over, then by weight."""
        number, self.made = self.made, self.made + 1
        case = self._case(number)
        first, last = names.person(self.dice, number)
        address = names.email(self.dice, first, last, number)
        contact, user, raw = self._salesforce(case, first, last, address, number)
        learner = self._learner(learner_id, case, first, last, address)
        learner.contact, learner.user, learner.raw_contact_id = contact, user, raw
        learner.is_salesforce_contact = self._flag(case, number)
        return learner

    def again(self, learner_id: int, known: Learner) -> Learner:
        """The same person in another portal: other user id, ids of the other length, same Salesforce record."""
        learner = self._learner(learner_id, known.case, known.first_name, known.last_name, known.email)
        learner.contact, learner.user, learner.raw_contact_id = known.contact, known.user, known.raw_contact_id
        learner.long_ids = not known.long_ids
        is_contact = bool(known.is_salesforce_contact)
        learner.is_salesforce_contact = is_contact if type(known.is_salesforce_contact) is int else int(is_contact)
        return learner

    def _case(self, number: int) -> str:
        cases = list(CASES)
        if number < 4 * len(cases):
            return cases[number % len(cases)]
        return self.dice.choices(cases, list(CASES.values()))[0]

    def _flag(self, case: str, number: int) -> int | bool:
        """0/1 in real bodies, boolean in the documents: both occur, for both answers."""
        says_contact = case in ("contact", "both_contact", "merged", "merged_twice", "deleted", "unknown_id")
        round_of_cases = number // len(CASES)
        return says_contact if round_of_cases % 2 else int(says_contact)

    def _learner(self, learner_id: int, case: str, first: str | None, last: str | None, address: str) -> Learner:
        dice = self.dice
        created = self.now - timedelta(days=dice.randint(30, 1200), seconds=dice.randint(0, 86_399))
        seen = None if dice.random() < 0.08 else created + (self.now - created) * dice.random()
        more = {
            "locale": dice.choice(("en", "en", "de", "fr", "ja", "ar")),
            "enabled": dice.random() > 0.03,
            "user_type": dice.choices(("learner", "manager", "instructor", "admin"), (94, 3, 2, 1))[0],
            "sign_in_count": 0 if seen is None else dice.randint(1, 300),
        }
        written = address if dice.random() < 0.8 else address.capitalize()
        signed_in = stamp(seen) if seen is not None else None
        stamps = (stamp(created), signed_in)
        return Learner(learner_id, case, first, last, written, None, None, dice.random() < 0.5, 0, *stamps, None, more)

    def _add(self, kind: str, first: str | None, last: str, address: str) -> Person:
        person = Person(f"{kind}{len(self.people)}", kind, first, last, address)
        self.people.append(person)
        return person

    def _salesforce(
        self, case: str, first: str | None, last: str, address: str, number: int
    ) -> tuple[str | None, str | None, str | None]:
        """Make the people of a case; returns what the learner's contact id and user id refer to, and a raw id."""
        kinds = {
            "contact": ("Contact",),
            "user": ("User",),
            "inactive_user": ("User",),
            "both_contact": ("Contact", "User"),
            "both_user": ("Contact", "User"),
            "merged": ("Contact", "Contact"),
            "merged_twice": ("Contact", "Contact", "Contact"),
            "deleted": ("Contact",),
            "email_contact": ("Contact",),
            "email_contacts": ("Contact", "Contact"),
            "email_user": ("User",),
            "email_both": ("Contact", "User"),
        }.get(case, ())
        made = [self._add(kind, first, last, address) for kind in kinds]
        if case == "unknown_id":
            return None, None, UNKNOWN_ID + f"{number % 100_000:05d}"
        if case == "no_such_form":
            return None, None, ("not-an-id", "", " ", "0035g0000")[number % 4]
        if case.startswith("email") or not made:
            return None, None, None
        if case.startswith("merged"):
            for loser, master in pairwise(made):
                loser.merged_into = master.ref
        made[0].deleted = case == "deleted"
        made[0].active = case != "inactive_user"
        contact = next((one.ref for one in made if one.kind == "Contact"), None)
        return contact, next((one.ref for one in made if one.kind == "User"), None), None
