"""Texts: written as they are, cut when too long, and the one text that Bulk cannot write."""

from __future__ import annotations

import pytest
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, Stage

AWKWARD = (
    'Say "hello", friend',
    "first line\nsecond line",
    "first line\r\nsecond line\r\n\r\nfourth",
    "one\rtwo",
    "'=1+1' and ''",
    "=cmd|' /C calc'!A0",
    '"',
    '""quoted""',
    ",",
    "Übung für Ängstliche: 研修 🎓",
    "e\u0301 is not é",
    "مرحبا",
    "a\tb",
    "back\\slash \\n",
    "<b>&amp;</b>",
    "NULL",
    "null",
    "N/A",
    "NA",
    "nan",
    "None",
    "007",
    ' space, then "quote" ',
    "nul\u0000inside",
    "#N/A?",
    "#n/a",
    "0",
    "\u00a0no-break\u00a0",
)


@pytest.mark.fault("D31", "D32")
@pytest.mark.rule("3.24", "3.51", "1.1")
def test_texts_arrive_as_they_are(stage: Stage) -> None:
    """Quotes, commas, line ends of all three kinds and other scripts arrive as written; a second run sends nothing."""
    learner = stage.learner()
    numbers = {stage.enroll(learner, stage.course(name=text)): text for text in AWKWARD}
    paths = {stage.enroll_path(learner, stage.path(name=text)): text for text in AWKWARD}
    stage.synced()
    rows, on_paths = stage.rows(CONTACT_ROWS), stage.rows(CONTACT_PATHS)
    for number, text in numbers.items():
        assert rows[f"12345:enrollment:{number}"]["Course_Name__c"] == text.strip()
    for number, text in paths.items():
        assert on_paths[f"12345:path:{number}"]["Path_Name__c"] == text.strip()
    stage.settled()


@pytest.mark.rule("3.24", "3.51")
def test_outer_blanks_and_empty_texts_make_no_change(stage: Stage) -> None:
    """Salesforce trims outer blanks and keeps no empty text: neither is a difference on the next run, or ever."""
    learner = stage.learner()
    texts = {"  padded ": "padded", "\n line \n": "line", "": None, "   ": None, "\t\r\n": None}
    numbers = {stage.enroll(learner, stage.course(name=given)): kept for given, kept in texts.items()}
    stage.synced()
    rows = stage.rows(CONTACT_ROWS)
    assert {number: rows[f"12345:enrollment:{number}"]["Course_Name__c"] for number in numbers} == numbers
    stage.settled()
    number = next(iter(numbers))
    stage.academy.change_enrollment(number, course_name="padded\n")
    stage.settled()
    stage.academy.change_enrollment(number, course_name="  padded  twice")
    stage.synced()
    assert stage.row(CONTACT_ROWS, f"12345:enrollment:{number}")["Course_Name__c"] == "padded  twice"


@pytest.mark.fault("D32")
@pytest.mark.rule("3.25")
def test_long_texts_are_cut_and_counted(stage: Stage) -> None:
    """A text of the field's length stays whole, a longer one is cut to it; the warning counts, and it is no change."""
    learner = stage.learner()
    fits, wide, vast = "a" * 255, "🎓" * 300, "v" * 131_073
    texts = {fits: fits, vast: "v" * 255, "b" * 256: "b" * 255, "c" * 254 + " cut": "c" * 254, wide: None}
    numbers = {stage.enroll(learner, stage.course(name=given)): kept for given, kept in texts.items()}
    stage.enroll_path(learner, stage.path(name="d" * 1000))
    result = stage.synced()
    rows = stage.rows(CONTACT_ROWS)
    for number, kept in numbers.items():
        name = rows[f"12345:enrollment:{number}"]["Course_Name__c"]
        assert name == kept if kept is not None else set(name) == {"🎓"}
    assert [row["Path_Name__c"] for row in stage.rows(CONTACT_PATHS).values()] == ["d" * 255]
    assert f"4 texts are longer than {CONTACT_ROWS}.Course_Name__c holds" in result.warnings
    assert f"1 texts are longer than {CONTACT_PATHS}.Path_Name__c holds" in result.warnings
    stage.settled()


@pytest.mark.fault("D31")
@pytest.mark.rule("3.26")
def test_the_literal_not_available_becomes_blank(stage: Stage) -> None:
    """`#N/A`, also with blanks around it, is written as blank with a warning; on an existing row it clears once."""
    learner = stage.learner()
    known = stage.enroll(learner, stage.course(name="Known before"))
    stage.synced()
    numbers = [stage.enroll(learner, stage.course(name=text)) for text in ("#N/A", " #N/A ")]
    stage.academy.change_enrollment(known, course_name="#N/A")
    result = stage.synced()
    rows = stage.rows(CONTACT_ROWS)
    assert {rows[f"12345:enrollment:{number}"]["Course_Name__c"] for number in (*numbers, known)} == {None}
    assert "3 texts are the literal #N/A" in result.warnings
    stage.settled()
