"""The fault catalogue, what people and settings may do wrong (C1 to C9), and what a run must do about it.

A fault that cannot reach the program stands in `NOT_HERE` with the reason. Nothing is tested here.
"""

from __future__ import annotations

PEOPLE: dict[str, str] = {}
NOT_HERE: dict[str, str] = {}
