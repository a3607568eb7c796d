"""Bodies and values of LearnUpon that cannot be read (S10-S12, S19, S23, S25, S26, S32).

Of faults with many forms the usual tests show one or two; `long` ones show the others.
"""

from __future__ import annotations

import gzip

import pytest
from runs.school import School, some_long
from runs.small_world import quick, stopped
from runs.stage import CONTACT_ROWS, Stage
from runs.told import told

from etl.emulator.faults import Fault

_END = {"LU_Has_Next_Page": "false"}
_BODIES = {
    "S10 renamed": ('{"results": []}', ("no list under", "keys seen: results")),
    "S10 nested": ('{"data": {"user": []}}', ("no list under", "keys seen: data")),
    "S10 a list": ("[]", ("an unexpected shape",)),
    "S10 null": ("null", ("an unexpected shape",)),
    "S10 empty object": ("{}", ("keys seen: none",)),
    "S11 an error": ('{"error": "rate"}', ("an error with status 200", "rate")),
    "S11 an error beside rows": ('{"user": [], "courses": [], "enrollments": [], "error": "busy"}', ("busy",)),
    "S11 a message": ('{"message": "Unauthorized", "response_code": 401}', ("with status 200", "response_code: 401")),
    "S12 a page": ("<html><h1>We are down for maintenance</h1></html>", ("text/html instead of JSON", "maintenance")),
    "S12 a page after blanks": ("\r\n\r\n <!DOCTYPE html><p>Sign in", ("instead of JSON", "Sign in")),
    "S12 words": ("Service temporarily unavailable", ("malformed JSON of 31 bytes",)),
    "S19 cut": ('{"user": [{"id": 1, "email"', ("malformed JSON of 27 bytes",)),
    "S19 nothing": ("", ("malformed JSON of 0 bytes",)),
    "S25 not UTF-8": (
        '{"user": [{"id": 1, "email": "\xff"}], "enrollments": [{"id": 1, "user_id": "\xff"}]}',
        ("JSON",),
    ),
    "S25 a key that is not UTF-8": ('{"\xff": []}', ("malformed JSON of 9 bytes (UnicodeDecodeError: not UTF-8)",)),
}


@pytest.mark.fault("S10", "S11", "S12", "S19", "S25")
@pytest.mark.parametrize("name", some_long(_BODIES, {"S10 renamed", "S11 an error", "S12 a page", "S19 nothing"}))
def test_a_body_that_is_not_the_list(school: School, name: str) -> None:
    """A renamed or missing list, an error, a web page or a cut body with status 200 is never "no rows": 65."""
    body, words = _BODIES[name]
    places = ("/users[?]", f"/academy/.*/search.*course_id={school.world.second_course}", "/learning_path_enrollments")
    place = places[list(_BODIES).index(name) % len(places)]
    school.answer(place, 200, body.encode("latin-1"), **_END)
    school.barred(65, "portal ", "page 1", *words)


@pytest.mark.fault("S10", "S11", "S12")
@pytest.mark.parametrize("name", some_long(["S10 renamed", "S11 an error", "S12 a page"], {"S10 renamed"}))
def test_a_question_by_id_that_is_not_answered(school: School, name: str) -> None:
    """What is no row, no 404 and no empty list is no proof that a row is gone: 65, and the row stays."""
    body, words = _BODIES[name]
    listing = f"/academy/.*/search.*course_id={school.world.second_course}"
    school.answer(listing, 200, '{"enrollments": []}', **_END)
    school.faults.add(Fault(match=f"/enrollments/{school.last}", status=200, body=body, times=None))
    school.barred(65, "portal academy", f"/enrollments/{school.last}", *words)


_ROWS = {
    "S23 null": ('"id":{row},', '"id":null,', "id of row number 1 of the page is missing"),
    "S23 letters": ('"id":{row},', '"id":"abc",', "id of row number 1 of the page cannot be read"),
    "S23 empty": ('"id":{row},', '"id":"",', "id of row number 1 of the page is missing"),
    "S23 a fraction": ('"id":{row},', '"id":1.5,', "id of row number 1"),
    "S23 negative": ('"id":{row},', '"id":-5,', "id of row number 1"),
    "S23 zero": ('"id":{row},', '"id":0,', "id of row number 1"),
    "S23 too long": ('"id":{row},', '"id":1234567890123456789012,', "id of row number 1"),
    "S23 a float": ('"id":{row},', '"id":9.007199254740994e15,', "id of row number 1"),
    "S23 a list": ('"id":{row},', '"id":[5],', "an unexpected shape"),
    "S23 true": ('"id":{row},', '"id":true,', "an unexpected shape"),
    "S23 nobody": ('"user_id":', '"user_id":null,"x":', "user_id of row {row} is missing"),
    "S25 a key twice": ('"id":{row},', '"id":{row},"id":1,', "twice in one object"),
    "S25 a list twice": ('"enrollments":[', '"enrollments":[],"enrollments":[', "twice in one object"),
    "S25 NaN": ('"percentage":', '"percentage":NaN,"x":', "malformed JSON"),
    "S25 Infinity": ('"percentage":', '"percentage":Infinity,"x":', "malformed JSON"),
    "S25 half a character": ('"course_name":"', '"course_name":"\\ud83d', "malformed JSON"),
    "S25 a control character": ('"course_name":"', '"course_name":"\x01', "malformed JSON"),
    "S26 no date": ('"date_enrolled":', '"date_enrolled":"0000-00-00 00:00:00","x":', "date_enrolled of row {row}"),
    "S26 a 13th month": ('"date_enrolled":', '"date_enrolled":"2026-13-01T00:00:00Z","x":', "cannot be read"),
    "S26 words": ('"date_completed":', '"date_completed":"yesterday","x":', "date_completed of row {row}"),
    "S26 a number": ('"date_enrolled":', '"date_enrolled":1763700000,"x":', "an unexpected shape"),
}


@pytest.mark.fault("S23", "S25", "S26")
@pytest.mark.parametrize(
    "name", some_long(_ROWS, {"S23 null", "S23 a float", "S25 a key twice", "S25 NaN", "S26 no date", "S26 words"})
)
def test_one_row_that_cannot_be_read(school: School, name: str) -> None:
    """An id that is none, a key twice, NaN, broken text, a date that is none: never guessed: 65, with its place."""
    old, new, words = (part.replace("{row}", str(school.last)) for part in _ROWS[name])
    school.only(f"/academy/.*/search.*course_id={school.world.second_course}", replace=[old, new])
    school.barred(65, "portal academy", f"course_id {school.world.second_course}", words)


@pytest.mark.fault("S23")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"id":', '"{0}"'),
        *(
            pytest.param(*pair, marks=pytest.mark.long)
            for pair in (('"user_id":', '" {0} "'), ('"course_id":', "{0}.0"), ('"id":', "{0}.0"))
        ),
    ],
)
def test_an_id_in_another_spelling(school: School, before: str, after: str) -> None:
    """Ids as text, with blanks or as a whole float are the same ids: nothing is created, deleted or changed."""
    world = school.world
    school.faults.clear()
    for number in (*school.stage.academy.enrollments, *world.learners, world.first_course, world.second_course):
        spelled = (f"{before}{number},", f"{before}{after.format(number)},")
        school.faults.add(Fault(match="/academy", when="mid", replace=spelled, times=None))
    school.unmoved()


@pytest.mark.fault("S23")
def test_the_largest_ids(stage: Stage) -> None:
    """An id up to 2^48 - 1 keeps all its digits; a larger one is refused, or it would pass for another portal's: 65."""
    learner, course = stage.learner(), stage.course()
    largest = 2**48 - 1
    stage.enroll(learner, course, id=largest)
    stage.synced()
    assert set(stage.rows(CONTACT_ROWS)) == {f"12345:enrollment:{largest}"}
    stage.settled()
    stage.enroll(learner, course, id=largest + 8)
    result = stage.run(clock=quick())
    stopped(result, 65)
    told(result, 65, "portal academy", f"course_id {course}", f"is larger than {largest}")


@pytest.mark.fault("S26")
def test_a_time_in_another_spelling(stage: Stage) -> None:
    """A time without a zone is UTC, one with another zone is converted, one in the future is carried as it is."""
    learner, course = stage.learner(), stage.course()
    spellings = {
        "2026-11-01T08:00:00": "2026-11-01T08:00:00",
        "2026-11-01 08:00:00 UTC": "2026-11-01T08:00:00",
        "2026-11-01T08:00:00+02:00": "2026-11-01T06:00:00",
        "2026-11-01T01:30:00-05:00": "2026-11-01T06:30:00",
        "2026-10-25T02:30:00.999Z": "2026-10-25T02:30:00",
        "2099-01-01T00:00:00Z": "2099-01-01T00:00:00",
    }
    rows = {stage.enroll(learner, course, date_enrolled=text): utc for text, utc in spellings.items()}
    stage.synced()
    held = {key: row["Date_Enrolled__c"][:19] for key, row in stage.rows(CONTACT_ROWS).items()}
    assert held == {f"12345:enrollment:{number}": utc for number, utc in rows.items()}
    stage.settled()


@pytest.mark.fault("S32")
def test_a_body_that_swells(school: School) -> None:
    """Some 70 kB that unpack to more than 64 MiB are refused on the way, before they fill the memory: 65."""
    packed = gzip.compress(b'{"user": [' + b" " * (70 << 20) + b"]}", 9)
    school.answer("/users", 200, packed, Content_Encoding="gzip", **_END)
    school.barred(65, "GET /users (page 1)", "67108864 bytes", "which no page is")
