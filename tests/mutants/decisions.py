"""Bugs in what is decided: who is matched, what is gone, kept, moved, counted, and what guards let through; a list."""

from __future__ import annotations

from mutants.mutant import Mutant

_DECIDE = "etl/decide.py"
_FATE = "core/test_decide.py::test_the_fate_of_a_row"
_GUARDS = "etl/guards.py"
_PLANNING = "core/test_planning.py"
_SETTLE = "core/test_settle.py"

MUTANTS = (
    Mutant(
        id="absence-is-proof",
        bug="A row missing from the listing is gone, without LearnUpon being asked.",
        file=_DECIDE,
        source='    is_gone = existing["code"].isin(gone)\n',
        planted="    is_gone = pd.Series(data=True, index=existing.index)\n",
        tests=(_FATE,),
    ),
    Mutant(
        id="live-answer-ignored",
        bug="A row that LearnUpon, asked by id, still has joins nothing.",
        file="etl/stages/extract.py",
        source="            if answer.alive.num_rows:",
        planted="            if answer.alive.num_rows < 0:",
        tests=("runs/test_rule_gone.py::test_absent_but_alive_joins",),
    ),
    Mutant(
        id="questions-without-bound",
        bug="Every missing row is asked about, however many there are.",
        file="etl/stages/judge.py",
        source="codes.iloc[: self._limit - self._asked]",
        planted="codes",
        tests=("runs/test_rule_gone.py::test_questions_are_limited",),
    ),
    Mutant(
        id="finished-row-deleted",
        bug="A finished row that is gone is deleted instead of kept.",
        file=_DECIDE,
        source='proof.mask(absent & ~flagged & is_gone & ~done, "gone")',
        planted='proof.mask(absent & ~flagged & is_gone, "gone")',
        tests=(_FATE,),
    ),
    Mutant(
        id="kept-row-not-flagged",
        bug="A row that is kept does not get its flag.",
        file=_DECIDE,
        source="""    rows["person_id"] = rows["person_id"].mask(moved, now["person_id"])
    rows[REMOVED] = pd.Series(data=True,""",
        planted="""    rows["person_id"] = rows["person_id"].mask(moved, now["person_id"])
    rows[REMOVED] = pd.Series(data=False,""",
        tests=(f"{_PLANNING}::test_confirmed_gone_rows_are_deleted_or_kept_by_their_status",),
    ),
    Mutant(
        id="flagged-row-asked-again",
        bug="Rows flagged before are asked about every night.",
        file=_DECIDE,
        source='    return existing.loc[missing & ~flagged & ~left, "code"].drop_duplicates().sort_values()',
        planted='    return existing.loc[missing & ~left, "code"].drop_duplicates().sort_values()',
        tests=("core/test_decide.py::test_whom_to_ask_about",),
    ),
    Mutant(
        id="unmatched-rows-deleted",
        bug="Rows of a learner who is no longer matched are deleted.",
        file=_DECIDE,
        source='owner_matched = pd.Series(listing["side"].notna().to_numpy()[at], index=existing.index) & listed',
        planted="owner_matched = listed",
        tests=(_FATE,),
    ),
    Mutant(
        id="unenrolled-stays",
        bug="An enrollment that was unenrolled unfinished keeps its row.",
        file=_DECIDE,
        source='    return listing["side"].notna() & ~(listing["unenrolled"].astype(bool) & unfinished)',
        planted='    return listing["side"].notna()',
        tests=("core/test_decide.py::test_who_belongs_in_salesforce",),
    ),
    Mutant(
        id="unenrolled-not-flagged",
        bug="A finished row that was unenrolled is written without its flag.",
        file="etl/rows.py",
        source="            **{name: listing[source] for name, source in TAKEN[row].items()},",
        planted="            **{name: listing[source] for name, source in TAKEN[row].items()}, REMOVED: False,",
        tests=("core/test_rows.py::test_an_enrollment_row_carries_learnupons_values",),
    ),
    Mutant(
        id="older-version-wins",
        bug="Of an enrollment listed twice the one updated first is kept.",
        file=_DECIDE,
        source='    return ordered.drop_duplicates("code", keep="last").sort_index()',
        planted='    return ordered.drop_duplicates("code", keep="first").sort_index()',
        tests=("core/test_decide.py::test_of_a_row_listed_twice_the_latest_counts",),
    ),
    Mutant(
        id="retake-overwrites",
        bug="Enrollments are told apart by learner and course, so that a retake is lost.",
        file=_DECIDE,
        source="""    if listing["code"].is_unique:
        return listing
    ordered""",
        planted="""    if "course_id" in listing:
        listing = listing.drop_duplicates(["learner", "course_id"], keep="last")
    ordered""",
        tests=("runs/test_rule_enrollments.py::test_a_retake_is_a_second_row",),
    ),
    Mutant(
        id="key-twice-in-one-upload",
        bug="A row listed twice goes into the plan twice.",
        file="etl/settle.py",
        source="            self._keep(decide.latest(updated.assign(code=self.index)).index.to_numpy())",
        planted="            self.index = pd.RangeIndex(len(updated))",
        tests=(f"{_PLANNING}::test_a_row_listed_twice_is_one_row",),
    ),
    Mutant(
        id="two-of-a-key-compared",
        bug="Rows of one key are compared as if each were the only one.",
        file="etl/diff.py",
        source="    if not wanted.is_unique or not held.is_unique:",
        planted="    if not wanted.is_unique and not held.is_unique:",
        tests=("core/test_diff.py::test_a_key_twice_is_an_error",),
    ),
    Mutant(
        id="renamed-status-unfinished",
        bug="A status that was renamed no longer counts as finished.",
        file="etl/rows.py",
        source="(label(status, renamed), label(status, {}))",
        planted="(label(status, {}),)",
        tests=("core/test_rows.py::test_finished_is_known_by_its_old_and_its_new_label",),
    ),
    Mutant(
        id="gone-learner-keeps-counts",
        bug="The counts of a learner who is gone stay what they were.",
        file=_DECIDE,
        source='        rows[column] = pd.Series(0, index=rows.index, dtype="Int64")',
        planted="        rows[column] = rows[column]",
        tests=(f"{_PLANNING}::test_gone_learner_keeps_membership_with_zero_counts",),
    ),
    Mutant(
        id="settled-though-twice",
        bug="A row that is there twice counts as being as it should be.",
        file="etl/settle.py",
        source="minlength=len(listed.index)) == 1",
        planted="minlength=len(listed.index)) >= 1",
        tests=(f"{_SETTLE}::test_what_has_something_to_be_said_of_it_is_not_settled",),
    ),
    Mutant(
        id="settled-though-unwanted",
        bug="A row whose enrollment was unenrolled counts as being as it should be.",
        file="etl/settle.py",
        source="(once & on_side & listed.wanted)[place]",
        planted="(once & on_side)[place]",
        tests=(f"{_SETTLE}::test_what_has_something_to_be_said_of_it_is_not_settled",),
    ),
    Mutant(
        id="settled-though-impossible",
        bug="A row with a value its field may not hold counts as it should be.",
        file="etl/settle.py",
        source="            if fitting is not None:",
        planted="            if fitting is None:",
        tests=(f"{_SETTLE}::test_what_has_something_to_be_said_of_it_is_not_settled",),
    ),
    Mutant(
        id="unenrolled-counted",
        bug="Unenrolled enrollments count in the totals.",
        file="etl/totals.py",
        source='    live = listing[~listing["unenrolled"].to_numpy(dtype=bool)]',
        planted="    live = listing",
        tests=("core/test_totals.py::test_every_status_counts_alone_and_all_count_as_enrolled",),
    ),
    Mutant(
        id="path-course-counted-twice",
        bug="A course that is on a path twice is two courses of it.",
        file="etl/paths.py",
        source='    return path_courses.drop_duplicates(["path", "course_id"]).reset_index(drop=True)',
        planted="    return path_courses.reset_index(drop=True)",
        tests=("core/test_totals.py::test_the_size_of_a_path_is_its_courses_each_once",),
    ),
    Mutant(
        id="path-course-done-twice",
        bug="A course done in two versions, far apart in the listing, counts twice.",
        file="etl/paths.py",
        source="        self._done = [done[np.append(True, done[1:] != done[:-1])[: len(done)]]]",
        planted="        self._done = [done]",
        tests=("core/test_totals.py::test_a_course_done_in_two_parts_of_a_listing_counts_once",),
    ),
    Mutant(
        id="first-of-several-by-email",
        bug="Of several people with one e-mail the first is taken.",
        file="etl/match.py",
        source="    one = count == 1\n",
        planted="    one = count >= 1\n",
        tests=("core/test_match.py::test_email_matches_the_one_contact_else_the_one_user",),
    ),
    Mutant(
        id="email-with-case",
        bug="E-mail addresses are compared with regard to case.",
        file="etl/match.py",
        source='    emails = users["email"].str.strip().str.lower()\n',
        planted='    emails = users["email"].str.strip()\n',
        tests=("core/test_match.py::test_email_matches_the_one_contact_else_the_one_user",),
    ),
    Mutant(
        id="merge-not-followed",
        bug="A merged Contact is not followed to its master.",
        file="etl/match.py",
        source="_MAX_MERGES = 10",
        planted="_MAX_MERGES = 0",
        tests=("core/test_match.py::test_the_record_must_exist",),
    ),
    Mutant(
        id="deleted-contact-matched",
        bug="A learner stays matched to a Contact that was deleted.",
        file="etl/match.py",
        source='        found.loc[chosen, "reason"] = reason.mask(deleted, "contact_deleted")\n'
        '        found.loc[chosen, "person_id"] = ends.mask(deleted)\n',
        planted='        found.loc[chosen, "reason"] = reason\n        found.loc[chosen, "person_id"] = ends\n',
        tests=("core/test_match.py::test_the_record_must_exist",),
    ),
    Mutant(
        id="prefix-without-colon",
        bug="Rows of portal 1234 are read as rows of portal 123.",
        file="etl/salesforce/snapshot.py",
        source='soql.starts_with(key, f"{portal}:")',
        planted='soql.starts_with(key, f"{portal}")',
        tests=("edges/test_salesforce_snapshot.py::test_only_our_portals",),
    ),
    Mutant(
        id="any-portal-is-ours",
        bug="The rows of every portal are read, whoever's they are.",
        file="etl/salesforce/snapshot.py",
        source="    condition = soql.both(ours(org, entity, portal_ids), where)",
        planted="    condition = where",
        tests=("edges/test_salesforce_snapshot.py::test_only_our_portals",),
    ),
    Mutant(
        id="foreign-profiles-cleared",
        bug="People whom another portal synced lose their LearnUpon id.",
        file="etl/totals.py",
        source="    left = existing[existing[LU_USER].isin(known_learners) & ~is_in(",
        planted="    left = existing[existing[LU_USER].notna() & ~is_in(",
        tests=("core/test_totals.py::test_who_lost_the_last_membership_is_cleared_if_ours",),
    ),
    Mutant(
        id="delete-without-proof",
        bug="A row that is not desired is deleted, whether or not anything proves it.",
        file="etl/plan.py",
        source="        if reasons.isna().any():",
        planted="        if reasons.isna().all() and not len(reasons):",
        tests=("core/test_plan.py::test_a_delete_without_proof_is_a_bug_that_stops_everything",),
    ),
)
