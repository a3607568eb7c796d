"""What an exit code may say of a run, given what struck it; it looks at codes and reports, not at what was written.

The names in capitals are those of the fault catalogue's invariants.
"""

from __future__ import annotations

from runs.result import Result
from runs.stage import Stage
from simulation.mishaps import SALESFORCE, Mishap
from simulation.ours import OWN, ROWS, State, unlike

_KNOWN = {0, 1, 3, 65, 69, 75, 77, 78}
_UNTOUCHED = {3, 65, 78}
"""Codes that say that nothing was written."""
_ANY_NIGHT = {0, 3}
"""What a run may always end with; that a guard had a reason is judged by itself."""
_BY_STATUS = {400: {65, 69, 77}, 401: {77}, 403: {77}, 404: {65, 69, 77, 78}, 429: {69, 75}, 503: {69, 75}}
"""Any other says that the vendor is not there."""
_BY_WHAT = {
    "status after": {69}, "cut": {69}, "reset": {69}, "answer lost": {69}, "slow": {69}, "page": {65}, "count": {69},
    "short upload": {1, 69}, "job": {1, 69}, "refusal": {1}, "session expires": {77}, "lease": {75}, "quota": {75},
}  # fmt: skip


def known(result: Result) -> None:
    """See that the code is one of those the README names, and that nothing was written where it says so."""
    assert result.code in _KNOWN, f"exit {result.code}: {result.out + result.err}"
    if result.code in _UNTOUCHED:
        assert not result.effects, f"I-GUARD-ATOMIC: exit {result.code}, yet {result.effects[:3]}"


def undisturbed(result: Result, *, died: bool) -> None:
    """See that a run ended well to which nothing happened; after a dead one it may have to wait."""
    allowed = _ANY_NIGHT | ({75} if died else set())
    assert result.code in allowed, f"nothing went wrong, yet exit {result.code}: {result.out + result.err}"


def of_one(result: Result, mishap: Mishap) -> None:
    """See that the code is one of those by which the only mishap of a run can be told."""
    allowed = _ANY_NIGHT | _codes(mishap)
    assert result.code in allowed, f"I-HONEST: {mishap} alone, yet exit {result.code}: {result.err}"


def _codes(mishap: Mishap) -> set[int]:
    """Return what a run may end with by one mishap, 0 and 3 aside."""
    of_salesforce = mishap.kind in SALESFORCE
    later = {75} if of_salesforce else set()  # a job whose outcome could not be seen
    if mishap.what == "status":
        return _BY_STATUS.get(mishap.detail[0], {69}) | later
    if mishap.what == "html":
        return {69 if of_salesforce else 65} | later
    return _BY_WHAT[mishap.what] | later


def deletes(now: State, target: State) -> int:
    """Return how many rows a run has to delete so that an org becomes what it should be."""
    return sum(len(now[name].keys() - target[name].keys()) for name in OWN)


def guarded(result: Result, stage: Stage, wanted: set[int]) -> None:
    """See that a guard stopped the run for a reason that the world bears out.

    Worlds are small: no percentage applies, so it can only be the number of rows to delete, which is one of `wanted`,
    or that number with what is in the recycle bin, of which only the last week counts, and not what a person allowed.
    """
    limit = stage.settings["guards"]["max_deletes"]
    tripped = [one for one in result.report["guards"] if one["tripped"]]
    assert tripped, "I-HONEST: exit 3, yet the report names no guard"
    past = sum(len(stage.org.tables[name].bin) for sides in ROWS.values() for name in sides.values())
    before = {"max_deletes": 0, "max_deletes_7_days": past}
    for one in tripped:
        name, value = one["name"], one["value"]
        due = name in before and any(number and number <= value <= number + before[name] for number in wanted)
        assert due, f"I-HONEST: {name} stopped the run at {value}, to be deleted are {sorted(wanted)}"
        assert (one["limit"], value > limit) == (limit, True), f"I-HONEST: {name}: {value} against {limit}"


def refused(result: Result, target: State, found: State) -> None:
    """See that each row named as refused is not as it should be."""
    lines = result.table("refused.csv")
    assert lines, "I-HONEST: exit 1, yet no row is named as refused"
    for line in lines:
        name, key = line["object"], line["key"]
        wanted, there = ({key: state[name][key]} if key in state[name] else {} for state in (target, found))
        assert unlike(name, wanted, there), f"I-HONEST: {name} {key} is named as refused, yet it is as it should be"
