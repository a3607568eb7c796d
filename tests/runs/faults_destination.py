"""The fault catalogue, what Salesforce may do wrong (D1 to D39), and what a run must do about it.

A fault that cannot reach the program stands in `NOT_HERE` with the reason. Nothing is tested here.
"""

from __future__ import annotations

DESTINATION: dict[str, str] = {}
NOT_HERE: dict[str, str] = {}
