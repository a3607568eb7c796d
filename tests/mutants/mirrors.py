"""Planted bugs of reading by a mirror: rows that changed, left or came back unseen, and proofs that prove nothing."""

from __future__ import annotations

from mutants.mutant import Mutant

_TESTS = "edges/test_mirror.py"
_KEPT = "edges/test_mirror_kept.py"

MUTANTS = (
    Mutant(
        id="mirror-no-overlap",
        bug="Changes are asked for from the last read on, with no overlap.",
        file="etl/salesforce/changes.py",
        source="OVERLAP = timedelta(minutes=30)",
        planted="OVERLAP = timedelta(0)",
        tests=(f"{_TESTS}::test_a_change_that_was_saved_before_the_last_read_and_seen_after_it",),
    ),
    Mutant(
        id="mirror-deleted-kept",
        bug="Rows that were deleted since the last read are kept.",
        file="etl/mirroring.py",
        source='pc.invert(changed["IsDeleted"])',
        planted='pc.is_valid(changed["IsDeleted"])',
        tests=(f"{_TESTS}::test_changed_rows_come_and_say_how_many",),
    ),
    Mutant(
        id="mirror-no-count",
        bug="The rows put together are not held against Salesforce's count.",
        file="etl/mirroring.py",
        source="    if ours.rows != theirs.rows:",
        planted="    if ours.rows < 0:",
        tests=(f"{_TESTS}::test_rows_that_left_unseen_are_missed_in_the_count",),
    ),
    Mutant(
        id="mirror-no-sums",
        bug="Sums that differ are taken to agree.",
        file="etl/mirroring.py",
        source="        if abs(total - other_total) > room:",
        planted="        if abs(total - other_total) > 1e18 + room:",
        tests=(f"{_TESTS}::test_look_ups_that_come_back_are_seen",),
    ),
    Mutant(
        id="mirror-no-ids",
        bug="As many rows with other record ids are taken to be the same.",
        file="etl/mirroring.py",
        source="        if mine[:_ID_CHARACTERS] != other[:_ID_CHARACTERS]:",
        planted="        if mine[:3] != other[:3]:",
        tests=(f"{_TESTS}::test_as_many_rows_with_other_ids_are_seen",),
    ),
    Mutant(
        id="mirror-gone-people",
        bug="Deleted and merged Contacts are not asked for.",
        file="etl/stages/renewal.py",
        source='lost = pc.unique(pa.concat_arrays([lost, _column(gone, "Id")]))',
        planted="lost = lost[:0]",
        tests=(f"{_TESTS}::test_rows_of_lost_contacts_are_looked_at_again",),
    ),
    Mutant(
        id="mirror-parents-key",
        bug="A parent that got another key is taken to be as it was.",
        file="etl/mirroring.py",
        source="same = pc.equal(before[column], now[column].combine_chunks().take(place.combine_chunks()))",
        planted="same = place.is_valid()",
        tests=(f"{_TESTS}::test_a_parent_with_another_key_takes_its_rows_along",),
    ),
    Mutant(
        id="mirror-loose-rows",
        bug="Rows whose parents are not ours are kept for the next run.",
        file="etl/stages/held.py",
        source="if not _is_loose(name, parks)}",
        planted="}",
        tests=(f"{_TESTS}::test_a_parent_with_another_key_takes_its_rows_along",),
    ),
    Mutant(
        id="mirror-torn-file",
        bug="Files of the mirror are used whatever their hash.",
        file="etl/state/mirror.py",
        source="whole = hash_of(mine) == sha",
        planted="whole = bool(hash_of(mine))",
        tests=(f"{_KEPT}::test_what_is_not_whole_is_not_used",),
    ),
    Mutant(
        id="mirror-another-user",
        bug="What another user was shown is used.",
        file="etl/state/mirror.py",
        source='"user_id": self.user_id, ',
        planted="",
        tests=(f"{_KEPT}::test_another_identity_is_another_mirror",),
    ),
    Mutant(
        id="mirror-too-old",
        bug="A mirror older than the recycle bin is used.",
        file="etl/stages/held.py",
        source="    if now - mirror.since > OLDEST:",
        planted="    if now - mirror.since > 9 * OLDEST:",
        tests=(f"{_KEPT}::test_an_old_backup_of_the_state_folder",),
    ),
    Mutant(
        id="mirror-never-full",
        bug="A full read is never due.",
        file="etl/stages/held.py",
        source="        times = now, mirror.full_at if mirror else now",
        planted="        times = now, now",
        tests=(f"{_TESTS}::test_a_lie_is_healed_by_the_next_full_read",),
    ),
    Mutant(
        id="mirror-own-clock",
        bug="The mirror's time is that of this machine's clock.",
        file="etl/stages/held.py",
        source="    now = org.server_time()",
        planted="    now = org.clock.now()",
        tests=(f"{_KEPT}::test_clocks_of_salesforce_alone_count",),
    ),
    Mutant(
        id="mirror-half-a-delta",
        bug="Changed rows that did not all come are taken for all.",
        file="etl/salesforce/changes.py",
        source="        counting.check(park.rows)",
        planted="        counting.check(counting.rows)",
        tests=(f"{_TESTS}::test_changes_that_do_not_all_come_are_no_changes",),
    ),
    Mutant(
        id="mirror-no-lock",
        bug="A plan, which holds no lock, exchanges the mirror too.",
        file="etl/stages/held.py",
        source="if identity and now and job.writes else []",
        planted="if identity and now else []",
        tests=(f"{_KEPT}::test_a_run_that_does_not_write_leaves_the_mirror_alone",),
    ),
)
