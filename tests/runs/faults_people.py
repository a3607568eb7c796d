"""The fault catalogue, what people and settings may do wrong (C1 to C9), and what a run must do about it.

A fault that cannot reach the program stands in `NOT_HERE` with the reason. Nothing is tested here.
"""

from __future__ import annotations

PEOPLE: dict[str, str] = {
    "C1": "The settings are of another org: 78 with both ids, and nothing but its identity was asked; sandbox or not, "
    "since no two orgs share an id.",
    "C2": "The settings are of another portal: 78 with both ids; where that cannot be told, the source's guard: 3.",
    "C3": "Settings that decide which rows are wanted changed: named, and deletes stop with 3 until --allow-deletes N.",
    "C4": "A slip in a key, section, value or option: 78 (64 for an option) with its place and the nearest known name.",
    "C5": "An override left in the crontab: it is bound to its number of rows and recorded; a percentage of 100 leaves "
    "the absolute limit: 3.",
    "C6": "Two configurations with a portal each in one org: one another's rows and people are left alone, however "
    "often they take turns: 0. (Somebody whom portals of both refer to belongs into one configuration.)",
    "C7": "The first run: creates only, and no guard trips over a percentage of nothing: 0.",
    "C8": "A guard tried again and again, or spent every night: deletes of seven days count as Salesforce has them; 3.",
    "C9": "A secret file that others can read, empty, missing or of two lines: 78 with path and mode, never the "
    "content; a line end behind it is no part of it: 0; a wrong secret: 77.",
}
NOT_HERE: dict[str, str] = {}
