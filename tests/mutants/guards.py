"""Bugs in what keeps a run from doing harm: guards, overrides, scope, the order of steps; a list, no logic."""

from __future__ import annotations

from mutants.mutant import Mutant

_GUARDS = "etl/guards.py"
_PIPELINE = "etl/pipeline.py"
_READ = "core/test_diff.py"
_RUN = "runs/test_guards_run.py"
_WEEK = "runs/test_guards_week.py"

MUTANTS = (
    Mutant(
        id="guard-after-the-write",
        bug="The guards are looked at when everything has been written.",
        file=_PIPELINE,
        source="""    account.stop_if_tripped(plan)
    record.note(budget.writes(plan))

    code = _write(job, org, folder, record, shapes)
""",
        planted="""    record.note(budget.writes(plan))

    code = _write(job, org, folder, record, shapes)
    account.stop_if_tripped(plan)
""",
        tests=(f"{_RUN}::test_a_guard_stops_beyond_its_limit_and_not_at_it",),
    ),
    Mutant(
        id="quota-after-the-write",
        bug="Whether the day's requests will do is seen when they have been spent.",
        file=_PIPELINE,
        source="""    record.note(budget.writes(plan))

    code = _write(job, org, folder, record, shapes)
""",
        planted="""    code = _write(job, org, folder, record, shapes)
    record.note(budget.writes(plan))
""",
        tests=("runs/test_quota.py::test_too_little_to_write_stops_the_run_before_the_first_write",),
    ),
    Mutant(
        id="week-not-looked-at",
        bug="A portal is read although its week will not last.",
        file="etl/stages/quota.py",
        source="        self._spare_the_week(client, needed[client.name])\n",
        planted="        self._job.clock.now()\n",
        tests=("runs/test_budget.py::test_the_week_is_never_spent_half_way",),
    ),
    Mutant(
        id="read-before-the-counts",
        bug="A portal is read before it is known whether Salesforce can be.",
        file="etl/stages/quota.py",
        source="        while not self._job.clock.wait(self._counted, _COUNTING_S):\n",
        planted="        while False:\n",
        tests=("runs/test_quota.py::test_nothing_large_is_read_until_salesforce_is_counted",),
    ),
    Mutant(
        id="disk-looked-at-once",
        bug="Whether the disk has room for what is sent is not looked at.",
        file="etl/stages/quota.py",
        source="        self._room.writes(sent)\n",
        planted="",
        tests=("runs/test_budget.py::test_a_disk_that_others_fill_is_seen_before_the_writes",),
    ),
    Mutant(
        id="dry-run-writes",
        bug="A dry run is a run.",
        file="etl/stages/job.py",
        source='        return not self.dry_run and self.command != "plan"',
        planted='        return self.command != "plan"',
        tests=("runs/test_commands.py::test_a_plan_writes_nothing_and_says_so_with_its_code",),
    ),
    Mutant(
        id="percent-from-the-first-row",
        bug="Percentages apply to objects of any size, however few rows there are.",
        file=_GUARDS,
        source="if whole >= min_rows and part]",
        planted="if part]",
        tests=(f"{_READ}::test_guards_trip_above_their_limit",),
    ),
    Mutant(
        id="guard-trips-at-the-limit",
        bug="A guard stops what is just at its limit.",
        file=_GUARDS,
        source="    over = value > limit\n",
        planted="    over = value >= limit\n",
        tests=(f"{_READ}::test_guards_trip_above_their_limit",),
    ),
    Mutant(
        id="mildest-object-measured",
        bug="The percentage is that of the object that loses least.",
        file=_GUARDS,
        source="    return max(measured, key=",
        planted="    return min(measured, key=",
        tests=(f"{_READ}::test_the_worst_object_is_measured_and_deletes_are_summed",),
    ),
    Mutant(
        id="shrunken-source-believed",
        bug="A listing that lost most of its rows is believed.",
        file=_GUARDS,
        source="    return Reading(SHRINK, worst[1], limit, worst[1] > limit, where=worst[0])",
        planted="    return Reading(SHRINK, worst[1], limit, worst[1] > 100.0, where=worst[0])",
        tests=(f"{_READ}::test_a_source_that_shrank_is_not_believed",),
    ),
    Mutant(
        id="allowance-without-bound",
        bug="--allow-deletes N lets any number of deletes through.",
        file=_GUARDS,
        source="    lift_deletes = allowed.deletes is not None and deletes <= allowed.deletes\n",
        planted="    lift_deletes = allowed.deletes is not None\n",
        tests=("core/test_properties_values.py::test_an_override_lifts_up_to_its_number_and_its_own_guards_only",),
    ),
    Mutant(
        id="allowance-lifts-everything",
        bug="An allowance for deletes lifts the guard on updates too.",
        file=_GUARDS,
        source="    lift_updates = allowed.updates is not None and updates <= allowed.updates\n",
        planted="    lift_updates = lift_deletes or allowed.updates is not None\n",
        tests=(f"{_RUN}::test_one_allowance_does_not_lift_the_other_guards",),
    ),
    Mutant(
        id="week-not-counted",
        bug="What was deleted in the nights before is not counted: 5 % a night.",
        file=_GUARDS,
        source="deletes + sum(past.values()), rows,",
        planted="deletes, rows,",
        tests=(f"{_READ}::test_deletes_count_together_with_those_of_the_week",),
    ),
    Mutant(
        id="week-percent-of-what-is-left",
        bug="The week's percentage is of the rows that are left, not of those that were.",
        file=_GUARDS,
        source="(name, before + load.deletes, before + load.existing)",
        planted="(name, load.deletes, load.existing)",
        tests=(f"{_READ}::test_deletes_count_together_with_those_of_the_week",),
    ),
    Mutant(
        id="week-allowance-without-bound",
        bug="--allow-deletes N lifts the week's guard whatever N is.",
        file=_GUARDS,
        source="""    lifted = allowed.deletes is not None and deletes <= allowed.deletes
    parts""",
        planted="""    lifted = allowed.deletes is not None
    parts""",
        tests=(f"{_READ}::test_deletes_count_together_with_those_of_the_week",),
    ),
    Mutant(
        id="week-of-everybody",
        bug="What other users deleted counts as deleted by this program.",
        file="etl/stages/past.py",
        source='    gone = soql.both(soql.is_true("IsDeleted"), soql.since("SystemModstamp", since), mine)',
        planted='    gone = soql.both(soql.is_true("IsDeleted"), soql.since("SystemModstamp", since))',
        tests=(f"{_WEEK}::test_only_our_own_deletes_of_our_portals_count",),
    ),
    Mutant(
        id="week-without-end",
        bug="Deletes of any time count, so that no run passes after a while.",
        file="etl/stages/past.py",
        source="WINDOW = timedelta(days=7)",
        planted="WINDOW = timedelta(days=14)",
        tests=(f"{_WEEK}::test_after_seven_days_the_allowance_is_whole_again",),
    ),
    Mutant(
        id="override-stays",
        bug="Deletes that a person allowed count against all later runs of the week.",
        file="etl/stages/past.py",
        source="max(rows - allowed[entity.name],",
        planted="max(rows,",
        tests=(f"{_WEEK}::test_what_a_person_allowed_does_not_count_again",),
    ),
    Mutant(
        id="scope-change-unseen",
        bug="Settings that make other rows wanted are applied as a wave of deletes.",
        file=_GUARDS,
        source="""    return [_reading(SCOPE, deletes, 0, changed, lifted=lifted)] if changed else []""",
        planted="""    return []""",
        tests=(f"{_READ}::test_a_changed_scope_lets_no_delete_pass_unseen",),
    ),
    Mutant(
        id="scope-forgotten-unasked",
        bug="A changed scope is the known one from then on, though nobody allowed it.",
        file="etl/stages/scopes.py",
        source="    if change.names and waiting and job.allowed.deletes is None:\n        return []\n",
        planted="",
        tests=("runs/test_scope_changed.py::test_a_change_is_not_settled_while_rows_wait_to_be_asked_about",),
    ),
    Mutant(
        id="plan-is-a-baseline",
        bug="A backfill leaves its scope behind as the one to compare with.",
        file="etl/stages/scopes.py",
        source="    if job.backfill:\n        return Change()\n",
        planted="",
        tests=("runs/test_scope_changed.py::test_plans_and_backfills_leave_nothing_behind",),
    ),
    Mutant(
        id="no-copy-before-the-write",
        bug="The rows are not copied for undo before they are overwritten.",
        file=_PIPELINE,
        source="""    if plan.changes:
        keep(folder, plan, saved.facts_of(job, record))
    with threads(AT_ONCE, job.stop) as crew:
""",
        planted="""    with threads(AT_ONCE, job.stop) as crew:
""",
        tests=("runs/test_undo_refused.py::test_the_copy_is_whole_and_private_before_the_first_write",),
    ),
    Mutant(
        id="read-without-a-count",
        bug="A read is complete because Salesforce says so.",
        file="etl/salesforce/counting.py",
        source="        if least - meanwhile <= rows <= most + meanwhile:",
        planted="        if rows <= most + meanwhile:",
        tests=("runs/test_counts.py::test_a_silently_incomplete_read_is_refused",),
    ),
    Mutant(
        id="key-twice-sent",
        bug="Nobody looks whether a file holds a key twice.",
        file="etl/salesforce/onlyonce.py",
        source="    if not len(twice):\n        return []\n",
        planted="    return []\n",
        tests=("runs/test_keys_once.py::test_a_plan_with_a_key_twice_is_a_bug_and_nothing_is_sent",),
    ),
    Mutant(
        id="lock-not-taken",
        bug="Two runs of one state folder go side by side.",
        file="etl/lifecycle.py",
        source="clock=job.clock) if job.writes else nullcontext()",
        planted="clock=job.clock) if not job.writes else nullcontext()",
        tests=("runs/test_commands.py::test_a_second_run_does_not_wait",),
    ),
    Mutant(
        id="nothing-read-back",
        bug="What was written is not looked at again.",
        file="etl/stages/account.py",
        source="        self.refused = pd.concat([self.refused, unlike], ignore_index=True)\n        if len(unlike):",
        planted="        if len(unlike) < 0:",
        tests=("runs/test_readback.py::test_rows_missing_or_changed_when_read_back_are_told",),
    ),
    Mutant(
        id="unheard-lease-left",
        bug="A signal while the lease is made leaves it behind in Salesforce.",
        file="etl/salesforce/lease.py",
        source="self.ids or (self._mine(patience) if self._asked else [])",
        planted="self.ids",
        tests=("runs/test_lease.py::test_a_signal_while_the_lease_is_made_leaves_none",),
    ),
    Mutant(
        id="cleared-people-not-found",
        bug="Of many people read back, those who were cleared are taken for missing.",
        file="etl/stages/readback.py",
        source='    if entity.row == "profile":  # who was cleared',
        planted='    if entity.row == "nobody":  # who was cleared',
        tests=("edges/test_readback_whole.py::test_people_read_back_as_a_whole_are_compared_one_by_one",),
    ),
    Mutant(
        id="report-says-it-all-went-well",
        bug="The report of a run that was stopped says that it went well.",
        file="etl/stages/account.py",
        source="        self.report.exit_code = exit_code\n",
        planted="        self.report.exit_code = 0\n",
        tests=("runs/test_untrusted.py::test_one_bad_portal_holds_back_the_others",),
    ),
)
