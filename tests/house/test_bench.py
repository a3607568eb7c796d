"""The benchmark itself: its servers speak truthfully, a peer does the same job, its verdicts follow from figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from bench import judge, tables
from bench.cases import AFTER, NAIVE, NIGHT, PRODUCT, QUIET, USUAL, Result, Step, carry_out, least_pages
from bench.measure import run
from bench.planted import planted
from bench.servers import soql
from bench.servers.aggregates import Totals
from bench.servers.base import joined
from bench.servers.holdings import holdings
from bench.servers.org import TOKEN, Org
from bench.servers.portal import Portal
from bench.servers.shape import ODD, Shape
from bench.servers.store import Store
from bench.servers.wire import Request
from bench.world import World

SHAPE = Shape(2_000)
CONTACTS = "LearnUponContactEnrollment__c"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The servers of a small world, as processes."""
    with World(str(SHAPE.enrollments)) as running:
        yield running


def test_what_the_benchmark_holds_is_not_a_programs_memory() -> None:
    """A child begins with its parent's highest memory in the kernel's books; a short program is not charged with it."""
    held = bytearray(b"x") * 400_000_000
    assert run([sys.executable, "-c", "pass"]).peak_mib < 100
    assert len(held) == 400_000_000
    grown = run([sys.executable, "-c", "held = bytearray(b'x') * 1_500_000_000; del held"])
    assert grown.peak_mib > 1_300


def test_the_program_finds_exactly_the_planted_changes_and_then_nothing(world: World) -> None:
    """A night changes in Salesforce what was planted, the next run writes nothing, and the calls are those needed."""
    night = carry_out(Step(NIGHT, floor=True), world, SHAPE)
    assert night["changed"] == planted(SHAPE)
    assert sum(sum(counts.values()) for counts in planted(SHAPE).values()) > 50
    assert night["bytes_sent"] < night["floor_bytes"] < night["bytes_learnupon"] + night["bytes_salesforce"] + 1e5
    after = carry_out(Step(AFTER), world, SHAPE)
    assert sum(sum(counts.values()) for counts in after["changed"].values()) == after["jobs"] == 0
    assert after["calls_learnupon"] - after["questions"] <= after["least_pages"] + 1


def test_a_night_that_finds_last_nights_copy_changes_the_same(world: World) -> None:
    """With the copy of the night before the same rows are changed, and less of Salesforce is read."""
    quiet, usual = (carry_out(Step(night), world, SHAPE) for night in (QUIET, USUAL))
    assert usual["changed"] == planted(SHAPE) == usual["planted"]
    assert usual["bytes_salesforce"] < quiet["bytes_salesforce"]


def test_the_naive_peer_does_the_same_job(world: World) -> None:
    """The night of the naive job, from the same start, changes the same rows."""
    assert carry_out(Step(NIGHT, NAIVE), world, SHAPE)["changed"] == planted(SHAPE)


def answer(server: Portal | Org, target: str) -> Any:
    """Return the JSON that a server answers to a GET."""
    key = server.key if isinstance(server, Portal) else f"Bearer {TOKEN}"
    return json.loads(bytes(server.handle(Request("GET", target, {"authorization": key}, b"")).body))


@pytest.mark.parametrize("odd", ["", *ODD])
@pytest.mark.parametrize("day", ["yesterday", "today"])
def test_every_enrollment_is_listed_once(day: str, odd: str) -> None:
    """The listings of all courses hold each enrollment of the day once, 500 a page; a look-up finds the same row."""
    shape = Shape(3_000, odd=odd)
    portal, ids, pages = Portal(shape), list[int](), 0
    portal.day = day
    for course in range(shape.courses):
        page, more = 1, True
        while more:
            target = f"/bench/api/v1/enrollments/search?course_id={5_000_000 + course}&page={page}"
            key = {"authorization": portal.key}
            found = portal.handle(Request("GET", target, key, b""))
            rows = json.loads(bytes(found.body))["enrollments"]
            assert {row["course_id"] for row in rows} <= {5_000_000 + course}
            ids += [row["id"] for row in rows]
            more, page, pages = found.headers["LU-Has-Next-Page"] == "true", page + 1, pages + 1
    assert len(set(ids)) == len(ids) == len(shape.listed(day))
    assert answer(portal, f"/bench/api/v1/enrollments/{rows[-1]['id']}")["enrollments"] == [rows[-1]]
    others = 5 + 1 + -(-shape.courses // 500) + 1  # five paths, learners, courses, the list of paths
    assert pages + others == least_pages(shape, day)


def test_prebuilt_pages_hold_the_rows_that_a_look_up_gives() -> None:
    """Pages of a query result, cut anywhere, are the rows one by one; written rows come in place of the first ones."""
    store = Store(CONTACTS, holdings(SHAPE, first_load=False)[CONTACTS])
    names = ("Id", "LU_Key__c", "Status__c", "Score__c", "Course_Name__c", "Date_Completed__c", "SFContact__c")
    query = soql.parse(f"SELECT {', '.join(names)} FROM {CONTACTS} WHERE LU_Key__c LIKE '12345:%'")  # noqa: S608
    numbers = store.base.rows.numbers(0, len(store.base.rows))
    one_by_one = sorted(joined(store.base.table(numbers, names)).splitlines())
    assert lines_of(store, query, 777) == one_by_one
    rows = store.rows(numbers[3:5])
    store.put(rows, "2026-11-27T00:00:00.000Z")
    assert lines_of(store, query, 700) == one_by_one
    since = soql.parse(f"SELECT COUNT() FROM {CONTACTS} WHERE SystemModstamp >= 2026-11-26T00:00:00Z")  # noqa: S608
    assert len(store.find(since)) == 2


@pytest.mark.parametrize("name", [CONTACTS, "LearnUpon_Portal_Membership__c", "User"])
def test_sums_over_all_rows_are_those_of_the_rows(name: str) -> None:
    """COUNT, SUM, MIN and MAX over a whole object are what its rows come to, before and after some were written."""
    store, totals = Store(name, holdings(SHAPE, first_load=False)[name]), Totals()
    own = {CONTACTS: ("Score__c", "Date_Completed__c"), "User": ("LU_User_ID__c", "LU_Last_Accessed_At__c")}
    number, mark = own.get(name, ("LU_Number_Passed__c", "Contact__c"))
    parts = f"COUNT(Id) n, MIN(Id) low, MAX(Id) high, SUM({number}) s0, COUNT({mark}) c0"
    query = soql.parse(f"SELECT {parts} FROM {name} WHERE SystemModstamp >= 2020-01-01T00:00:00Z")  # noqa: S608
    for _ in range(2):
        rows = store.find(soql.parse(f"SELECT Id, {number}, {mark} FROM {name}")).table()  # noqa: S608
        ids, values = sorted(rows["Id"].to_pylist()), [float(one) for one in rows[number].to_pylist() if one]
        found = totals.row(store, query)
        assert (found["n"], found["low"], found["high"]) == (len(ids), ids[0], ids[-1])
        assert found["s0"] == pytest.approx(sum(values))
        assert found["c0"] == len(ids) - rows[mark].null_count
        some = store.rows(store.base.rows.numbers(0, 9))
        store.put(some.set_column(some.schema.get_field_index(number), number, pa.array(["7.0"] * 9)), "2026-11-27")


def lines_of(store: Store, query: soql.Query, rows: int) -> list[bytes]:
    """Return the lines of all pages of a result, sorted."""
    found = store.find(query)
    pages = [found.page(start, start + rows) for start in range(0, found.places, rows)]
    lines = [b"".join(bytes(piece) for piece in pieces).splitlines() for _, pieces in pages]
    assert [count for count, _ in pages] == [len(page) for page in lines]
    return sorted(line for page in lines for line in page)


def result(night: str, who: str = PRODUCT, **figures: Any) -> Result:
    """Return the figures of a run in which the floor took one second."""
    common = {"night": night, "who": who, "latency_ms": 0, "rows": 1_000_000, "wall_s": 7.0, "cpu_s": 9.0}
    common |= {"peak_mib": 500.0, "floor_s": 1.0, "jobs": 0, "calls_learnupon": 100, "questions": 0}
    common |= {
        "least_pages": 100,
        "bytes_salesforce": 100,
        "bytes_learnupon": 1,
        "bytes_sent": 1,
        "calls_salesforce": 9,
    }
    return common | {"changed": {}, "planted": {}} | figures


def verdicts(*rounds: list[Result]) -> dict[str, bool]:
    """Return what the judge says of rounds of size M."""
    return {check.what: check.met for check in judge.of_size("M", rounds)}


def test_the_verdict_is_the_median_against_the_aims() -> None:
    """One slow round among three is forgiven, two are not; the highest memory of any round counts."""
    good, slow, big = result(NIGHT), result(NIGHT, wall_s=9.0), result(NIGHT, peak_mib=2_000.0)
    assert verdicts([good], [slow], [good])["M, 2 %: times the curl floor"]
    assert not verdicts([slow], [slow], [good])["M, 2 %: times the curl floor"]
    assert not verdicts([big], [good], [good])["M: peak of the whole process tree"]


def test_a_peer_that_changes_other_rows_is_told() -> None:
    """Whoever changes other rows than were planted fails the comparison, and a job on a quiet night its own."""
    other = result(NIGHT, NAIVE, changed={"Contact": {"updated": 1}}, wall_s=70.0)
    found = verdicts([result(NIGHT), other])
    assert found["M, 2 %: times faster than naive"]
    assert not found["M, 2 %: who changes exactly what was planted"]
    assert not verdicts([result(QUIET, jobs=1)])["M, 0 %: ingest jobs"]


def test_the_tables_show_every_step_and_verdict() -> None:
    """The document names every program that ran, and PASS or FAIL for every aim."""
    rounds = [[result(NIGHT), result(NIGHT, NAIVE, wall_s=70.0)]]
    facts = {"title": "M", "when": "2026-11-27", "command": "make bench", "machine": "here", "rounds": rounds}
    text = tables.document({"M": facts}, list(judge.of_size("M", rounds)))
    assert "| 2 % | 0 ms | naive | 70.0 |" in text
    assert "| M, 2 %: times the curl floor | 7.00x | at most 8x | PASS |" in text
