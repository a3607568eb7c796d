"""Reading Salesforce by a mirror of the last read: always what a full read finds; what is not proved is no mirror."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirror_checks import by_mirror, last_night, same, why
from mirrored import DEEDS, MEMBERSHIP, OURS, PORTAL, ROWS, USER_ROWS, Observatory, happen, rows_of

from etl.emulator.faults import Fault
from etl.park import Park
from etl.salesforce.changes import Unproven, columns_changed, read_changed
from etl.salesforce.typed import schema
from etl.schema import CONTACT_ENROLLMENT, ENTITIES, KEY

_NAMES = [entity.name for entity in ENTITIES]
_NIGHT = st.tuples(
    st.sampled_from([0.3, 24, 24, 100, 400]),
    st.lists(st.tuples(st.sampled_from(sorted(DEEDS)), st.integers(0, 1 << 16)), max_size=5),
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Observatory]:
    """An org with some rows that was read last night, and a full read is not due."""
    with last_night(tmp_path) as made:
        yield made


def _equal_through(folder: Path, nights: list[tuple[float, list[tuple[str, int]]]]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with Observatory(folder) as lab:
        lab.fill()
        lab.read()
        for hours, deeds in nights:
            lab.pass_hours(hours)
            for deed, number in deeds:
                happen(lab, deed, number)
                lab.pass_hours(number % 7 / 60)
            same(lab)


@given(nights=st.lists(_NIGHT, min_size=1, max_size=3))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mirror_reads_what_a_full_read_reads(
    tmp_path: Path, nights: list[tuple[float, list[tuple[str, int]]]]
) -> None:
    """Whatever people and runs do between the nights, and however long those lie apart."""
    _equal_through(tmp_path / "world", nights)


@pytest.mark.long
@given(nights=st.lists(_NIGHT, min_size=2, max_size=6))
@settings(
    max_examples=int(os.environ.get("EXAMPLES", "1000")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_mirror_reads_what_a_full_read_reads_a_thousand_times(
    tmp_path: Path, nights: list[tuple[float, list[tuple[str, int]]]]
) -> None:
    """The same, over many and longer histories."""
    _equal_through(tmp_path / "world", nights)


def test_nothing_changed_costs_three_requests_an_object(lab: Observatory) -> None:
    """Rows and changes counted, rows summed, and one look at deleted Contacts: no query job, no row."""
    lab.requests()
    held = lab.read()
    assert by_mirror(held) == set(_NAMES)
    asked = lab.requests()
    assert (len(asked), [one for one in asked if "/jobs/" in one]) == (3 * len(_NAMES) + 1, [])
    assert rows_of(held) == lab.whole()


def test_changed_rows_come_and_say_how_many(lab: Observatory) -> None:
    """Rows made, changed and deleted since the last read are told apart from those that were kept."""
    lab.row(100)
    (first, second, *_) = sorted(lab.org.tables[ROWS].rows)
    lab.org.update(ROWS, first, {"Status__c": "Passed"})
    lab.org.delete(ROWS, second)
    assert same(lab).ways[ROWS] == "mirror + 3 changed rows"


def test_rows_that_left_unseen_are_missed_in_the_count(lab: Observatory) -> None:
    """A row purged from the recycle bin is in no query; one with another portal's key is not asked for."""
    purged, moved = sorted(lab.org.tables[ROWS].rows)[:2]
    lab.org.delete(ROWS, purged)
    lab.org.purge(ROWS, purged)
    lab.org.update(ROWS, moved, {KEY: "99:enrollment:1"})
    assert "6 rows put together, 4 counted" in same(lab).ways[ROWS]


def test_as_many_rows_with_other_ids_are_seen(lab: Observatory) -> None:
    """Where rows were put back with other ids and old stamps, such as by a restored sandbox, the count is no proof."""
    table = lab.org.tables[USER_ROWS]
    (row,) = table.rows.values()
    table.put({**row, "Id": row["Id"][:11] + "ZZZZAAA"})
    table.erase(row["Id"])
    assert "another least record id" in same(lab).ways[USER_ROWS]


def test_an_undelete_without_a_stamp_is_missed_in_the_count(lab: Observatory) -> None:
    """Should an undelete not move SystemModstamp, the row is still not lost."""
    row = min(lab.org.tables[ROWS].rows)
    lab.org.delete(ROWS, row)
    lab.pass_hours(1)
    lab.read()
    lab.pass_hours(24)
    lab.org.undelete(ROWS, row, stamped=False)
    assert "5 rows put together, 6 counted" in same(lab).ways[ROWS]


def test_rows_of_lost_contacts_are_looked_at_again(lab: Observatory) -> None:
    """A deleted Contact empties look-ups and a merged one moves them, without a stamp: just those rows are read."""
    first, second, third = sorted(lab.org.tables["Contact"].rows)[:3]
    lab.org.merge_contacts(first, second)
    lab.org.delete("Contact", third)
    held = same(lab)
    assert by_mirror(held) == set(_NAMES)
    assert held.ways[MEMBERSHIP] == "mirror + 0 changed rows, 2 looked at again"
    assert "looked at again" in held.ways[ROWS]


def test_look_ups_that_come_back_are_seen(lab: Observatory) -> None:
    """An undeleted Contact is a look-up more on rows that have no new stamp."""
    person = min(lab.org.tables["Contact"].rows)
    lab.org.delete("Contact", person)
    same(lab)
    lab.pass_hours(24)
    lab.org.undelete("Contact", person)
    assert "Contact__c comes to another sum" in same(lab).ways[MEMBERSHIP]


def test_without_sums_a_contact_that_came_leads_to_a_full_read(lab: Observatory) -> None:
    """Where REST does not sum in time, rows are counted; look-ups that may have come back are then not trusted."""
    slow = Fault("GET .*SUM", times=None, status=400, body='[{"errorCode":"QUERY_TIMEOUT","message":"too slow"}]')
    lab.emu.salesforce_faults.add(slow)
    assert by_mirror(same(lab)) == set(_NAMES)
    lab.pass_hours(24)
    person = min(lab.org.tables["Contact"].rows)
    lab.org.delete("Contact", person)
    same(lab)
    lab.pass_hours(24)
    lab.org.undelete("Contact", person)
    assert "Contacts have come" in same(lab).ways[ROWS]


def test_a_parent_with_another_key_takes_its_rows_along(lab: Observatory) -> None:
    """What a row shows of its parent changes with the parent's stamp alone, whether the parent stays ours or goes."""
    first, second = sorted(lab.org.tables[MEMBERSHIP].rows)[:2]
    lab.org.update(MEMBERSHIP, first, {KEY: f"{OURS}:member:77"})
    assert same(lab).ways[ROWS] == f"mirror + 0 changed rows, {_rows_below(lab, first)} looked at again"
    lab.pass_hours(24)
    lab.org.update(MEMBERSHIP, second, {KEY: "99:member:2"})
    assert same(lab).ways[ROWS] == f"mirror + 0 changed rows, {_rows_below(lab, second)} looked at again"
    lab.pass_hours(24)
    lab.org.update(MEMBERSHIP, second, {KEY: "99:member:3"})
    assert "nothing was kept" in same(lab).ways[ROWS]


def _rows_below(lab: Observatory, member: str) -> int:
    return len(lab.org.find(ROWS, LearnUpon_Portal_Membership__c=member))


def test_a_deleted_portal_takes_everything_along(lab: Observatory) -> None:
    """Details go without a stamp of their own, and rows lose their parent."""
    lab.org.delete(PORTAL, min(lab.org.tables[PORTAL].rows))
    same(lab)


def test_a_profile_that_a_run_cleared_is_no_surprise(lab: Observatory) -> None:
    """A Contact without a LearnUpon id leaves the profiles; cleared by this user it is seen to, by others missed."""
    first, second = sorted(lab.org.tables["Contact"].rows)[:2]
    lab.org.update("Contact", first, {"LU_User_ID__c": None})
    assert same(lab).ways["Contact"] == "mirror + 1 changed rows"
    lab.pass_hours(24)
    lab.org.update("Contact", second, {"LU_User_ID__c": None}, by=lab.admin)
    assert "2 rows put together, 1 counted" in same(lab).ways["Contact"]


def test_a_change_that_was_saved_before_the_last_read_and_seen_after_it(lab: Observatory) -> None:
    """A long transaction ends after a read with a stamp from before it: the overlap finds it."""
    row = min(lab.org.tables[ROWS].rows)
    stamp = f"{lab.time.now() - timedelta(hours=24, minutes=10):%Y-%m-%dT%H:%M:%S.000Z}"
    lab.slip(ROWS, row, Status__c="Passed", SystemModstamp=stamp)
    assert same(lab).ways[ROWS] == "mirror + 1 changed rows"


def test_a_lie_is_healed_by_the_next_full_read(lab: Observatory) -> None:
    """A number changed without a stamp is seen at once; a text when the full read is due, which is once a week."""
    row = min(lab.org.tables[ROWS].rows)
    lab.slip(ROWS, row, Score__c=99)
    assert "Score__c comes to another sum" in same(lab).ways[ROWS]
    lab.slip(ROWS, row, Course_Name__c="Another")
    for _ in range(5):
        lab.pass_hours(24)
        assert rows_of(lab.read()) != lab.whole()
    lab.pass_hours(24)
    assert why(same(lab)) == "the last full read was 7 days ago or more"
    lab.pass_hours(24)
    assert by_mirror(same(lab)) == set(_NAMES)


def _changed(lab: Observatory, *, most: int) -> int:
    """Read what changed of the enrollments since last night by a query job, as more than a page of REST is read."""
    park = Park(lab.folder / "changed", schema(columns_changed(lab.client, CONTACT_ENROLLMENT)))
    since = lab.time.now() - timedelta(hours=24)
    return read_changed(lab.client, CONTACT_ENROLLMENT, (OURS,), since, park, most=most, few=0)


def test_many_changed_rows_come_by_a_query_job(lab: Observatory) -> None:
    """More than a page of REST is read by Bulk `queryAll`, deleted rows too."""
    lab.org.delete(ROWS, lab.row(100))
    lab.row(101)
    lab.requests()
    assert _changed(lab, most=2) == 2
    assert sum(one.startswith("POST ") and one.endswith("/jobs/query") for one in lab.requests()) == 1


def test_too_many_changed_rows_are_not_even_read(lab: Observatory) -> None:
    """From a share of an object's rows on a full read costs less."""
    lab.row(100)
    lab.row(101)
    with pytest.raises(Unproven, match="2 rows have changed, more than 1"):
        _changed(lab, most=1)


def test_changes_that_do_not_all_come_are_no_changes(lab: Observatory) -> None:
    """A query job for what changed that leaves a row out in silence is held against Salesforce's count."""
    lab.row(101)
    lab.row(102)
    lab.org.unseen_rows = {ROWS: 1}
    with pytest.raises(Unproven, match="2 rows have changed, and 1 of them came"):
        _changed(lab, most=9)
