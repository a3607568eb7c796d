"""The fault catalogue, what the machine and the night may do wrong (R1 to R16), and what a run must do about it.

A fault that cannot reach the program stands in `NOT_HERE` with the reason. Nothing is tested here.
"""

from __future__ import annotations

RUNTIME: dict[str, str] = {}
NOT_HERE: dict[str, str] = {}
