"""Invented names of people in many alphabets, with the awkward ones; nobody real is meant."""

from __future__ import annotations

import random
import re
import unicodedata

FIRST: dict[str, tuple[str, ...]] = {
    "latin": (
        "Anna",
        "Liam",
        "Zoë",
        "François",
        "Jürgen",
        "Søren",
        "Łukasz",
        "Çağla",
        "Siobhán",
        "Nguyễn",
        "João",
        "Þóra",
    ),
    "cyrillic": ("Ольга", "Дмитрий", "Зоя", "Їван", "Ђорђе"),
    "greek": ("Ελένη", "Γιώργος", "Σοφία"),
    "arabic": ("فاطمة", "يوسف", "ليلى"),
    "hebrew": ("נועה", "דוד", "שירה"),
    "devanagari": ("प्रिया", "अर्जुन", "मीरा"),
    "chinese": ("偉", "秀英", "小龍"),
    "japanese": ("さくら", "健太", "ユミ"),
    "korean": ("지우", "민준", "서연"),
}
LAST: dict[str, tuple[str, ...]] = {
    "latin": (
        "Keane", "Müller", "Dvořák", "Østergård", "Brânză", "Ibáñez", "Şahin", "Wójcik",
        "Tran", "Ní Bhriain", "d'Aragona", "Sæther",
    ),
    "cyrillic": ("Ковальчук", "Соколова", "Петровић"),
    "greek": ("Παπαδάκη", "Νικολάου"),
    "arabic": ("الخطيب", "بن سالم"),
    "hebrew": ("כהנא", "לוין"),
    "devanagari": ("शर्मा", "पटेल"),
    "chinese": ("王", "歐陽"),
    "japanese": ("佐藤", "ワタナベ"),
    "korean": ("김", "남궁"),
}  # fmt: skip
WEIGHTS = {
    "latin": 16,
    "cyrillic": 3,
    "greek": 2,
    "arabic": 2,
    "hebrew": 1,
    "devanagari": 2,
    "chinese": 2,
    "japanese": 2,
    "korean": 2,
}
AWKWARD: tuple[tuple[str | None, str], ...] = (
    ("Sinéad", "O'Shea"),
    ("Robert", "Quill, Jr."),
    ('Dwayne "Rocky"', "Stone"),
    ("Jenny", "Null"),
    ("Nadia", "NA"),
    ("=1+1", "Sumner"),
    ("+Plus", "-Minus"),
    ("@home", "@Work"),
    (None, "Mononym"),
    ("", "Empty-First"),
    ("Tab\tbed", "Semi;colon"),
    ("<b>Bold</b>", "Angle & Ampersand"),
    ("  Blank", "Spaces  "),
    ("Zalgo\u0301\u0308", "Combining"),
    ("\U0001f469\u200d\U0001f4bb", "Emoji"),
    ("Right\u200eto", "Left\u200f"),
    ("X" * 40, "Y" * 80),
)


def person(dice: random.Random, number: int) -> tuple[str | None, str]:
    """First and last name of the person with this running number; the awkward ones come early, one in three."""
    place, turn = divmod(number, 3)
    if turn == 2 and place < len(AWKWARD):
        return AWKWARD[place]
    script = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    return dice.choice(FIRST[script]), dice.choice(LAST[script])


def email(dice: random.Random, first: str | None, last: str, number: int) -> str:
    """An address at example.com or example.org, unique by its number, in ASCII."""
    plain = unicodedata.normalize("NFKD", f"{first or ''}.{last}").encode("ascii", "ignore").decode().lower()
    local = re.sub(r"[^a-z0-9]+", ".", plain).strip(".")[:30].strip(".") or "learner"
    return f"{local}.{number}@{dice.choice(('example.com', 'example.com', 'example.org'))}"
