"""The audit of every report: its sums hold, and what it says was written is what the ledger saw; it runs nothing."""

from __future__ import annotations

from collections import Counter

from runs.result import Result

_OPERATIONS = {"created": "create", "updated": "update", "deleted": "delete"}


def audit(result: Result) -> None:
    """Assert everything that section 8 promises of a report; wherever an outcome is unknown the ledger is a bound.

    A row that somebody else deleted before it was to be deleted counts as deleted (fault D25): no effect shows it.
    """
    report = result.report
    assert report["exit_code"] == result.code or (report["exit_code"], result.code) == (0, 2)
    for line in report["portals"]:
        assert line["learners"] == line["matched"] + line["unmatched"] or not line["matched"] + line["unmatched"], line
    for name, counts in report["objects"].items():
        _sums(name, counts, whole=result.code in {0, 1})
    _ledger(result)


def _sums(name: str, counts: dict[str, int], *, whole: bool) -> None:
    """See that the counts of an object add up; a run that was stopped may have sent a part of its rows."""
    desired = counts["create"] + counts["update"] + counts["unchanged"] + counts["rejected"]
    existing = counts["update"] + counts["unchanged"] + counts["delete"] + counts["unconfirmed"]
    assert (counts["desired"], counts["existing"]) == (desired, existing), (name, counts)
    assert counts["kept"] <= counts["desired"], (name, counts)
    assert min(counts.values()) >= 0, (name, counts)
    ended = sum(counts[what] for what in ("created", "updated", "deleted", "refused", "unknown"))
    planned = counts["create"] + counts["update"] + counts["delete"]
    assert ended in {0, planned} or (not whole and 0 < ended < planned), (name, counts)


def _ledger(result: Result) -> None:
    seen = Counter((_local(entry.object), entry.operation) for entry in result.effects)
    gone = Counter({(_local(name), "delete"): number for name, number in result.found_gone.items()})
    objects = result.report["objects"]
    assert {name for name, _ in seen} <= set(objects), seen
    for name, counts in objects.items():
        for word, operation in _OPERATIONS.items():
            least, most = seen[name, operation], seen[name, operation] + gone[name, operation]
            known = least <= counts[word] <= most
            assert known or (counts["unknown"] and counts[word] < least), (name, word, counts, seen, gone)


def _local(name: str) -> str:
    """Return an object's name without its namespace, which makes two double underscores of one."""
    return name.split("__", 1)[-1] if name.count("__") > 1 else name
