"""What the words of a run that stopped must hold: what happened, what was and was not written, what to do next."""

from __future__ import annotations

import re

from runs.result import Result

_NEXT = re.compile(
    r"\brun again\b|\brun once with --allow-\w+ \d|\bmake a new plan\b|: set it right; "
    r"|\braise guards\.\w+ for a run\b",
    re.IGNORECASE,
)
"""An instruction: words that merely speak of checks, of what to look at or of the next run tell nobody what to do."""
_NOT_WRITTEN = "nothing was written"


def told(result: Result, code: int, *words: str) -> None:
    """See that a run ended with `code`, and that its last line says why, what was written, and what to do next.

    `words` are looked for in that line, on standard error, alone: it is what an alert shows.
    """
    assert result.code == code, result.err + result.out
    last = result.err[("\n" + result.err).rindex("\nerror: ") :]
    flat = " ".join(last.split())
    report = result.report
    assert (report["exit_code"], report["outcome"] in {"ok", "bug"}) == (code, False)
    assert " ".join(report["error"]["message"].split()).rstrip(".") in flat
    written = sum(
        report["objects"][name][what] for name in report["objects"] for what in ("created", "updated", "deleted")
    )
    unknown = sum(counts["unknown"] for counts in report["objects"].values())
    if written or unknown:
        assert _NOT_WRITTEN not in flat.lower()
        assert f"{written:,} row" in flat
        assert not unknown or f"{unknown:,}" in flat
    else:
        assert _NOT_WRITTEN in flat.lower()
    assert _NEXT.search(flat), flat
    for word in words:
        assert word in flat, (word, flat)


def refused(result: Result, *lines: tuple[str, str, str]) -> None:
    """See that a run ended with 1 and that refused.csv lists exactly these rows: object, key, code; so says stdout."""
    assert result.code == 1, result.err + result.out
    assert sorted((line["object"], line["key"], line["code"]) for line in result.table("refused.csv")) == sorted(lines)
    assert "refused.csv" in result.out
    assert f"{len(lines):,} row" in result.out
