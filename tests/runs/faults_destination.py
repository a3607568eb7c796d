"""The fault catalogue, what Salesforce may do wrong (D1 to D39), and what a run must do about it.

A fault that cannot reach the program stands in `NOT_HERE` with the reason. Nothing is tested here.
"""

from __future__ import annotations

DESTINATION: dict[str, str] = {
    "D17": "Results of a query job are gone (404 on a page): one new job; gone again: 69, nothing written.",
    "D18": "A query job finds nothing while Salesforce counts rows: 69 with both numbers, nothing is created again.",
    "D19": "A query job succeeds and lacks rows: held against COUNT() before and after; 69 with the numbers, no write.",
    "D24": "No upload holds a key twice or an empty one: looked at before the first file is sent, else 70, no write.",
}
NOT_HERE: dict[str, str] = {}
