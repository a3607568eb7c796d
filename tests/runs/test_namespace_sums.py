"""LearnUpon's installed package when LearnUpon and the org disagree: what people's profiles are summed from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
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
