"""LearnUpon's installed package when LearnUpon and the org disagree: what people's profiles are summed from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from runs import package_org as package
from runs.small_world import quick
from runs.stage import MEMBERSHIP, Stage
from runs.told import refused


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Stage]:
    """Give two empty portals and an org with the package and without people, served."""
    with Stage(tmp_path, namespace=package.SPACE) as made:
        yield made


def sums(stage: Stage, *people: str) -> list[list[Any]]:
    """Return the seven counts of people."""
    return [package.counts(package.person(stage, one)) for one in people]


def test_a_doubled_membership_counts_for_whom_learnupon_names(installed: Stage) -> None:
    """Of two memberships of one learner that name two people, the person whom LearnUpon names keeps the sums."""
    people = [installed.contact() for _ in range(8)]  # so many, since Salesforce gives rows in any order
    learners = [installed.learner(sf_contact_id=one) for one in people]
    for learner in learners:
        installed.enroll(learner, status="passed")
    installed.synced()
    name, contact = package.api(MEMBERSHIP), package.api("Contact__c")
    others = [installed.contact() for _ in people]
    for row, other in zip(installed.org.rows(name), others, strict=True):
        copied = {field: value for field, value in row.items() if field.startswith(package.SPACE)}
        installed.org.insert(name, {**copied, contact: other}, record=False)
    before = sums(installed, *people, *others)
    result = installed.run(clock=quick())
    refused(result, *((MEMBERSHIP, f"12345:member:{learner}", "rejected") for learner in learners))
    assert result.effects == []
    assert sums(installed, *people, *others) == before


def test_a_learner_matched_to_nobody_keeps_what_is_not_listed(installed: Stage) -> None:
    """Rows that LearnUpon has but does not list count for a learner who is matched no more; those that are gone do not.

    No membership remembers the sums, so LearnUpon is asked about these rows too.
    """
    contact = installed.contact()
    learner, archived = installed.learner(sf_contact_id=contact), installed.course()
    installed.enroll(learner, archived, status="passed")
    removed = installed.enroll(learner, status="completed")
    installed.enroll(learner, status="failed")
    installed.synced()
    installed.academy.remove_course(archived)
    installed.academy.remove_enrollment(removed)
    installed.synced()
    assert sums(installed, contact) == [[2, 0, 0, 0, 0, 1, 1]]
    installed.academy.change_user(learner, sf_contact_id=None)
    assert installed.synced().effects == []
    installed.configure(guards={"max_confirmations": 0})
    assert installed.synced().effects == []
    assert sums(installed, contact) == [[2, 0, 0, 0, 0, 1, 1]]


def test_sums_do_not_change_with_what_is_asked(installed: Stage) -> None:
    """Where not all missing rows can be asked about in a night, sums come down one by one and never go up again."""
    people = [installed.contact() for _ in range(3)]
    numbers = [installed.enroll(installed.learner(sf_contact_id=one), status="passed") for one in people]
    installed.synced()
    for number in numbers:
        installed.academy.remove_enrollment(number)
    installed.configure(guards={"max_confirmations": 1})
    chance, counted = Random(1), [3]  # noqa: S311 - a test's dice
    for _ in range(8):
        result = installed.run("run", random=chance)
        assert result.code == 0
        assert "2 profiles stay as they are" in result.warnings
        counted.append(sum(counts[0] for counts in sums(installed, *people)))
    assert counted == sorted(counted, reverse=True)
    assert counted[-1] == 0
