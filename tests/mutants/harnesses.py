"""Bugs that the simulation or the crash harness must see by itself, with no other test to judge them; a list.

Most are bugs of the other themes once more. What a second line of defence makes harmless (a job that is missing from
the journal is in Salesforce's own list, a result that was not read is seen when rows are read back) cannot show there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mutants.mutant import Mutant

_STORIES = "simulation/test_simulation.py::test_no_mishap_loses_doubles_or_wrongly_deletes_a_row"
_ALONE = "simulation/test_simulation.py::test_a_single_mishap_where_it_matters_does_no_harm"
_KILLED = "runs/test_killed.py"

_AGAIN: Mapping[str, tuple[str, ...]] = {
    _STORIES: (
        "insert-not-upsert",
        "refusals-end-well",
        "page-of-500-goes-on",
        "unmatched-rows-deleted",
        "any-portal-is-ours",
        "guard-after-the-write",
        "moved-row-not-held-back",
        "unprocessed-rows-forgotten",
        "second-job-after-lost-close",
        "create-repeated",
        "open-job-not-aborted",
    ),
    _ALONE: (
        "missing-header-is-end",
        "missing-list-key-is-empty",
        "lost-job-left-open",
    ),
    _KILLED: ("open-job-not-aborted", "lease-not-made", "lease-margin-zero"),
}
"""Bugs of other themes by what alone judges them here."""
_SUFFIX = {_STORIES: "sim", _ALONE: "sim", _KILLED: "crash"}

_NEW = (
    Mutant(
        id="absence-unasked-sim",
        bug="A row missing from the listing is gone, and nobody asks LearnUpon.",
        file="etl/stages/judge.py",
        source="self.gone[kind] = self._portals.ask(kind, codes, self._reads) if len(codes) else frozenset()",
        planted="self.gone[kind] = frozenset(codes.tolist())",
        tests=(_STORIES,),
    ),
    Mutant(
        id="finished-row-not-kept-sim",
        bug="A finished row that is gone goes the way of an unfinished one.",
        file="etl/decide.py",
        source="kept = absent & (flagged | (is_gone & done))",
        planted="done = done & False\n    kept = absent & flagged",
        tests=(_STORIES,),
    ),
    Mutant(
        id="jobs-of-lost-folders-crash",
        bug="Only jobs that a journal names are ended, not those of a lost folder.",
        file="etl/salesforce/adopt.py",
        source="    return lines + list(_listed(org, lease))",
        planted="    return lines",
        tests=(_KILLED,),
    ),
    Mutant(
        id="own-dead-lease-crash",
        bug="The lease of a dead run of the same folder is waited for.",
        file="etl/state/leases.py",
        source='event.get("token") == token',
        planted='event.get("token") == run_id',
        tests=(_KILLED,),
    ),
    Mutant(
        id="leftovers-stay-crash",
        bug="What a run that died left half-written stays for ever.",
        file="etl/lifecycle.py",
        source="        remove_leftovers(state)\n",
        planted="",
        tests=(_KILLED,),
    ),
    Mutant(
        id="lock-file-is-a-lock-crash",
        bug="A lock file that a dead run left behind is taken for its lock.",
        file="etl/state/lock.py",
        source="        try:\n            guard.acquire()\n",
        planted="        if holder.exists():\n            raise LockHeld(_holder(holder))\n"
        "        try:\n            guard.acquire()\n",
        tests=(_KILLED,),
    ),
)


def judged_alone(themes: Sequence[Mutant]) -> Iterator[Mutant]:
    """Give the bugs of the harnesses, those of other themes with the harness as their only judge."""
    known = {mutant.id: mutant for mutant in themes}
    for judge, names in _AGAIN.items():
        yield from (replace(known[name], id=f"{name}-{_SUFFIX[judge]}", tests=(judge,)) for name in names)
    yield from _NEW
