"""The fault catalogue, what people and settings may do wrong (C1 to C9), and what a run must do about it.

A fault that cannot reach the program stands in `NOT_HERE` with the reason. Nothing is tested here.
"""

from __future__ import annotations

PEOPLE: dict[str, str] = {
    "C3": "Settings that decide which rows are wanted changed: named, and deletes stop with 3 until --allow-deletes N.",
    "C8": "A guard tried again and again, or spent every night: deletes of seven days count as Salesforce has them; 3.",
}
NOT_HERE: dict[str, str] = {}
