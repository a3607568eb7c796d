"""The fault catalogue, what LearnUpon may do wrong (S1 to S34), and what a run must do about it.

A fault that cannot reach the program stands in `NOT_HERE` with the reason. Nothing is tested here.
"""

from __future__ import annotations

SOURCE: dict[str, str] = {}
NOT_HERE: dict[str, str] = {}
