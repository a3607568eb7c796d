"""Who is synced: ids, both ids, merged, deleted and unknown records, e-mail; and what unmatched learners get."""

from __future__ import annotations

from typing import Any

import pytest
from runs.result import Result
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_ROWS, Stage


def matched(stage: Stage) -> dict[int, str]:
    """Return LearnUpon user id to person for all memberships, and see that only one lookup is filled."""
    found = {}
    for row in stage.rows(MEMBERSHIP).values():
        assert (row["Contact__c"] is None) != (row["User__c"] is None), row
        found[int(row["LU_Portal_Membership_ID__c"])] = row["Contact__c"] or row["User__c"]
    return found


def reasons(result: Result) -> dict[int, str]:
    """Return LearnUpon user id to the reason it is unmatched for."""
    return {number: reason for (_, number), reason in result.unmatched.items()}


@pytest.mark.rule("3.1", "2.12", "3.9")
def test_ids_of_15_or_18_characters_find_the_person(stage: Stage) -> None:
    """An id of a Contact or User matches in its long, its short and its blank-padded form."""
    contacts, users = [stage.contact() for _ in range(3)], [stage.user() for _ in range(2)]
    forms = [contacts[0], contacts[1][:15], f" {contacts[2]} "]
    learners = {stage.learner(sf_contact_id=form): one for form, one in zip(forms, contacts, strict=True)}
    learners |= {stage.learner(sf_user_id=users[0][:15]): users[0], stage.learner(sf_user_id=users[1]): users[1]}
    result = stage.synced()
    assert matched(stage) == learners
    assert result.report["portals"][0] | {"matched": 5, "unmatched": 0} == result.report["portals"][0]
    assert {entry.operation for entry in result.effects if entry.object in {"Contact", "User"}} == {"update"}
    stage.settled()


@pytest.mark.rule("3.2", "3.9", "3.10")
def test_flag_decides_between_both_ids(stage: Stage) -> None:
    """With both ids the flag chooses, as number, boolean or text; without a word the learner is left out."""
    sides: list[tuple[Any, str]] = [(0, "user"), (1, "contact"), (False, "user"), (True, "contact")]
    sides += [("1", "contact"), ("0", "user"), (None, "")]
    expected, undecided, numbers = {}, {}, {"contact": 0, "user": 0, "": 0}
    for flag, side in sides:
        people = {"contact": stage.contact(), "user": stage.user()}
        fields: dict[str, Any] = {
            "sf_contact_id": people["contact"],
            "sf_user_id": people["user"],
            "is_salesforce_contact": flag,
        }
        learner = stage.learner(**fields)
        stage.enroll(learner)
        numbers[side] += 1
        if side:
            expected[learner] = people[side]
        else:
            undecided[learner] = "both_ids_undecided"
    result = stage.synced()
    assert (matched(stage), reasons(result)) == (expected, undecided)
    assert (len(stage.rows(CONTACT_ROWS)), len(stage.rows(USER_ROWS))) == (numbers["contact"], numbers["user"])


@pytest.mark.rule("3.3")
@pytest.mark.parametrize("side", ["contact", "user"])
def test_configuration_decides_between_both_ids(stage: Stage, side: str) -> None:
    """matching.both_ids overrules the flag, whatever it says or does not."""
    stage.configure(matching={"both_ids": side})
    expected = {}
    for flag in (0, 1, None):
        people = {"contact": stage.contact(), "user": stage.user()}
        fields: dict[str, Any] = {
            "sf_contact_id": people["contact"],
            "sf_user_id": people["user"],
            "is_salesforce_contact": flag,
        }
        expected[stage.learner(**fields)] = people[side]
    stage.synced()
    assert matched(stage) == expected


@pytest.mark.rule("3.2")
def test_flag_says_nothing_about_a_single_id(stage: Stage) -> None:
    """With one id there is nothing to decide: the flag is not asked."""
    contact, user = stage.contact(), stage.user()
    learners = {
        stage.learner(sf_contact_id=contact, is_salesforce_contact=0): contact,
        stage.learner(sf_user_id=user, is_salesforce_contact=1): user,
    }
    stage.synced()
    assert matched(stage) == learners


@pytest.mark.rule("3.4", "3.10")
def test_merged_contacts_are_followed(stage: Stage) -> None:
    """A Contact merged once or twice leads to the living master; a master that was deleted leads to nobody."""
    first, second, third, once, dead = (stage.contact() for _ in range(5))
    doomed = stage.contact()
    learner, short, lost = (stage.learner(sf_contact_id=one) for one in (first, once[:15], doomed))
    stage.enroll(learner, status="passed")
    stage.org.merge_contacts(second, first)
    stage.org.merge_contacts(third, second)
    stage.org.merge_contacts(third, once)
    stage.org.merge_contacts(dead, doomed)
    stage.org.delete("Contact", dead)
    result = stage.synced()
    assert matched(stage) == {learner: third, short: third}
    assert reasons(result) == {lost: "contact_deleted"}
    assert stage.person(third)["LU_Number_Enrolled__c"] == 1
    assert [row["SFContact__c"] for row in stage.rows(CONTACT_ROWS).values()] == [third]
    stage.settled()


@pytest.mark.rule("3.4")
def test_merge_after_the_first_run_is_followed_too(stage: Stage) -> None:
    """A Contact that is merged away between two runs takes rows and counts along to the master."""
    old, master = stage.contact(), stage.contact()
    learner = stage.learner(sf_contact_id=old)
    stage.enroll(learner, status="failed")
    stage.synced()
    stage.org.merge_contacts(master, old)
    stage.synced()
    assert matched(stage) == {learner: master}
    assert (stage.person(master)["LU_User_ID__c"], stage.person(master)["LU_Number_Failed__c"]) == (learner, 1)
    stage.settled()


@pytest.mark.rule("3.5", "3.10")
def test_deleted_and_unknown_records_leave_learners_out(stage: Stage) -> None:
    """Who points at a deleted or unknown record, or at no record at all, gets no rows and is listed with the reason."""
    deleted, alive = stage.contact(), stage.contact()
    stage.org.delete("Contact", deleted)
    wrong = {
        stage.learner(sf_contact_id=deleted): "contact_deleted",
        stage.learner(sf_contact_id="0035g0000000ZZZ"): "contact_unknown",
        stage.learner(sf_user_id="0055g0000000ZZZ"): "user_unknown",
        stage.learner(sf_contact_id="not an id"): "contact_unknown",
        stage.learner(sf_contact_id=stage.user()): "contact_unknown",
        stage.learner(sf_user_id=alive): "user_unknown",
        stage.learner(sf_contact_id=None): "no_salesforce_id",
        stage.learner(sf_contact_id="  "): "no_salesforce_id",
    }
    path = stage.path(course := stage.course())
    for learner in wrong:
        stage.enroll(learner, course, status="passed")
        stage.enroll_path(learner, path)
    result = stage.synced()
    assert reasons(result) == wrong
    assert result.report["portals"][0]["unmatched"] == len(wrong)
    for name in (MEMBERSHIP, CONTACT_ROWS, CONTACT_PATHS, USER_ROWS):
        assert stage.rows(name) == {}
    assert stage.person(alive)["LU_User_ID__c"] is None


@pytest.mark.rule("3.6", "3.7", "3.8", "3.10")
def test_unique_email_matches(stage: Stage) -> None:
    """Without ids the one Contact with the e-mail is taken, else the one User, without case; of several, nobody."""
    stage.configure(matching={"email": "unique"})
    contact, preferred = stage.contact(Email="Ana@Example.com"), stage.contact(Email="both@example.com")
    stage.user(Email="both@example.com")
    user = stage.user(Email="only.user@example.com")
    for address in ("twins@example.com", "TWINS@example.com"):
        stage.contact(Email=address)
    stage.user(Email="twins@example.com")
    for _ in range(2):
        stage.user(Email="users@example.com")
    gone = stage.contact(Email="gone@example.com")
    stage.org.delete("Contact", gone)
    by_id = stage.contact(Email="other@example.com")
    none = {"sf_contact_id": None}
    expected = {
        stage.learner(email="aNA@example.COM", **none): contact,
        stage.learner(email="both@example.com", **none): preferred,
        stage.learner(email="ONLY.user@example.com ", **none): user,
        stage.learner(email="ana@example.com", sf_contact_id=by_id): by_id,
    }
    wrong = {
        stage.learner(email="twins@example.com", **none): "email_ambiguous",
        stage.learner(email="users@example.com", **none): "email_ambiguous",
        stage.learner(email="gone@example.com", **none): "email_unknown",
        stage.learner(email="o'brien\\@example.com", **none): "email_unknown",
        stage.learner(email="", **none): "no_email",
        stage.learner(email="ana@example.com", sf_contact_id="0035g0000000ZZZ"): "contact_unknown",
    }
    result = stage.synced()
    assert (matched(stage), reasons(result)) == (expected, wrong)
    stage.settled()


@pytest.mark.rule("3.8")
def test_email_is_off_unless_asked_for(stage: Stage) -> None:
    """By default nobody is matched by e-mail."""
    stage.contact(Email="ana@example.com")
    learner = stage.learner(email="ana@example.com", sf_contact_id=None)
    assert reasons(stage.synced()) == {learner: "no_salesforce_id"}
    assert stage.rows(MEMBERSHIP) == {}


@pytest.mark.rule("3.11", "3.10", "1.1")
def test_rows_of_a_learner_no_longer_matched_are_left(stage: Stage) -> None:
    """A learner who is still listed but lost the match keeps all rows as they are, and is reported."""
    contact = stage.contact()
    learner = stage.learner(sf_contact_id=contact)
    path = stage.path(course := stage.course())
    kept, gone = stage.enroll(learner, course, status="in_progress"), stage.enroll(learner, status="in_progress")
    stage.enroll_path(learner, path)
    stage.synced()
    names = (MEMBERSHIP, CONTACT_ROWS, CONTACT_PATHS, "Contact")
    before = {name: stage.rows(name) for name in names}
    stage.academy.change_user(learner, sf_contact_id=None)
    stage.academy.change_enrollment(kept, status="passed", percentage=90)
    stage.academy.unenroll(gone)
    result = stage.synced()
    assert {name: stage.rows(name) for name in names} == before
    assert (result.effects, reasons(result)) == ([], {learner: "no_salesforce_id"})
    assert result.counts(CONTACT_ROWS)["unchanged"] == 2
    assert result.report["portals"][0]["unmatched"] == 1
    assert not result.asked("/enrollments/" + str(gone))
