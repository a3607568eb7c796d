"""Builds the plan: every desired row beside every existing one; reads only parked rows, asks and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from etl import decide, keys, rows, totals
from etl.book import Book
from etl.frames import is_in, to_pandas
from etl.normalise import Shapes
from etl.park import Park, parts_for, places
from etl.paths import Progress
from etl.plan import Plan
from etl.schema import COUNTS, CUSTOM, ENTITIES, KEY, MEMBERSHIP, PORTAL, PROFILES, Entity
from etl.settle import as_listed, settle
from etl.situation import SIDES, Inputs, Row, Settled, existing_frame, held_number, is_finished, partitions

_OF_PROFILES = ["code", "Contact__c", "User__c", "LU_Portal_Membership_ID__c", totals.LAST_ACCESS, *COUNTS]
UNLISTED = "{n} enrollments belong to users that /users does not list; their rows in Salesforce stay as they are"
UNLISTED_PATHS = (
    "{n} enrollments are on learning paths that LearnUpon does not list (archived ones); their numbers of courses are "
    "not known and stay as they are"
)
UNREADABLE = "{n} rows in Salesforce have a key of our portals but of no form we write; they stay as they are"
UNSURE = (
    "{n} profiles stay as they are: rows that count in them are missing from LearnUpon's listings, not confirmed gone"
)
UNCONFIRMED = "{n} rows are missing from LearnUpon's listings but not confirmed gone; they stay until a later run asks"


def build(inputs: Inputs, folder: Path, warnings: list[str]) -> Plan:
    """Return the plan, its rows parked in `folder`; `warnings` are those of the reads."""
    inputs = inputs if inputs.settled else settle(inputs, folder / "open")
    book = Book(folder, inputs.shapes)
    _enter_portals(book, inputs)
    agreed = _enter_settled(book, inputs)
    unproved = [part for row in SIDES for part in _enter_rows(book, inputs, row, agreed.progress)]
    agreed = replace(agreed, totals=totals.together([agreed.totals, *unproved]))
    members = _enter_members(book, inputs, agreed)
    if inputs.with_profiles:
        unsure = set().union(*(part.index for part in unproved)) - inputs.gone.get("member", frozenset())
        _enter_profiles(book, inputs, members, agreed.in_scope, unsure=unsure)
    return book.close(ENTITIES if inputs.with_profiles else CUSTOM, warnings)


def _enter_settled(book: Book, inputs: Inputs) -> Settled:
    if inputs.settled is None:
        raise AssertionError  # pragma: no cover - build() settles first
    for entity in CUSTOM:
        book.plan_of(entity).counts.unchanged += inputs.settled.unchanged.get(entity.name, 0)
    book.notes.update(inputs.settled.notes)
    return inputs.settled


def _enter_portals(book: Book, inputs: Inputs) -> None:
    existing = book.apart(to_pandas(inputs.held[PORTAL.name].read()), [PORTAL], KEY)
    desired = rows.portal_rows(inputs.portals)
    nothing = pd.Series(data=False, index=existing.index)
    if inputs.scope:
        existing = existing[existing[KEY].isin(desired[KEY])]
    book.enter(
        PORTAL,
        book.fit(PORTAL, desired),
        existing,
        key=KEY,
        stays=nothing,
        unconfirmed=nothing,
        proof=_no_proof(existing),
    )


def _no_proof(existing: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.NA, index=existing.index, dtype="string[pyarrow]")


def _enter_rows(book: Book, inputs: Inputs, row: Row, progress: Progress) -> Iterator[pd.DataFrame]:
    """Enter the rows of one kind that were not settled; give the totals of those that may be LearnUpon's all the same.

    Absence is not proof: a course enrollment that nobody has asked about yet counts as Salesforce has it.
    """
    for whole_listing, existing in partitions(inputs, row):
        if not len(whole_listing) and not len(existing):
            continue
        listing = decide.with_people(whole_listing, inputs.people)
        wanted = decide.is_wanted(listing, tuple(inputs.rules.finished_statuses))
        unmatched_or_absent = pd.Index(listing.loc[listing["side"].isna(), "learner"])
        book.notes[UNLISTED] += int((inputs.people.index.get_indexer(unmatched_or_absent) < 0).sum())
        unconfirmed = _enter_partition(book, inputs, row, progress, (listing, wanted, existing))
        if row == "enrollment" and len(unconfirmed):
            yield totals.count_statuses(as_listed(inputs, unconfirmed))


def _enter_partition(
    book: Book,
    inputs: Inputs,
    row: Row,
    progress: Progress,
    partition: tuple[pd.DataFrame, pd.Series, pd.DataFrame],
) -> pd.DataFrame:
    """Enter the rows of one partition; return the readable ones of Salesforce that nobody was asked about yet."""
    listing, wanted, held = partition
    existing = book.apart(held, SIDES[row])
    gone = inputs.gone.get(row, frozenset())
    fate = decide.fate(existing, listing, wanted, inputs.unmatched, gone, is_finished(inputs, row, existing))
    _note_fate(book, fate, existing)
    mine = listing[wanted].reset_index(drop=True)
    if row == "path":
        known = inputs.people.index.get_indexer(pd.Index(mine["learner"]))
        courses, done = progress.sizes(mine["path"]), progress.done(known, mine["path"])
        desired = rows.path_rows(mine, inputs.portal_ids, inputs.rules.status_labels, courses, done)
        unlisted = inputs.listed_paths.get_indexer(pd.Index(mine["path"])) < 0
        book.notes[UNLISTED_PATHS] += int(unlisted.sum())
        desired = decide.as_held(desired, existing, unlisted, (rows.COURSES, rows.DONE))
    else:
        desired = rows.enrollment_rows(mine, inputs.portal_ids, inputs.rules.status_labels)
    kept = decide.keep(existing[fate.kept], inputs.people)
    proof = fate.proof.mask(fate.kept & ~decide.stands(existing, kept), "moved")
    stays, proof = (fate.left, proof) if not inputs.scope else (fate.left | proof.notna(), _no_proof(existing))
    stands = kept["side"] == kept["object_side"]
    fitted = {
        entity: book.fit(entity, _of_side(entity, desired, kept[~stands]), _of_side(entity, kept[stands]))
        for entity in SIDES[row]
    }
    blocked = pd.concat([side.blocked for side in fitted.values()])
    for entity in SIDES[row]:
        here = existing["object_side"] == entity.person
        # A row that is to move stays where it is when its new row cannot be written: else it would be lost.
        fitted[entity].blocked = blocked
        book.enter(
            entity,
            fitted[entity],
            existing[here],
            key="code",
            stays=stays[here],
            unconfirmed=fate.unconfirmed[here],
            proof=proof[here],
            kept=int((kept["side"] == entity.person).sum()),
        )
    absent = ~existing["code"].isin(listing["code"]) & (existing["code"] != keys.UNREADABLE)
    return existing[(fate.unconfirmed | fate.left) & absent & ~existing["code"].isin(gone)]


def _note_fate(book: Book, fate: decide.Fate, existing: pd.DataFrame) -> None:
    unreadable = existing["code"] == keys.UNREADABLE
    book.notes[UNREADABLE] += int(unreadable.sum())
    book.notes[UNCONFIRMED] += int((fate.unconfirmed & ~unreadable).sum())


def _of_side(entity: Entity, *parts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one side, of all these frames, with the columns of its object."""
    columns = ["code", KEY, *entity.columns]
    mine = []
    for part in parts:
        here = part[(part["side"] == entity.person).fillna(value=False).astype(bool)]
        mine.append(here.assign(**{entity.person_field: here["person_id"]})[columns])
    return pd.concat([part for part in mine if len(part)] or mine[:1], ignore_index=True)


def _enter_members(book: Book, inputs: Inputs, agreed: Settled) -> pd.DataFrame:
    """Enter the memberships, partition by partition; return them as `_after` does."""
    park = inputs.held[MEMBERSHIP.name]
    count = parts_for(max(park.rows, len(inputs.learners)), inputs.rows_per_partition)
    place = places(keys.lu_ids(inputs.learners["learner"]).to_numpy(), count)
    entered = []
    for number, table in enumerate(park.partitions(count, held_number("member", inputs.portal_ids))):
        learners = inputs.learners[place == number]
        held = existing_frame(table, MEMBERSHIP, inputs.portal_ids)
        enter = _enter_scoped_part if inputs.scope else _enter_part
        entered.append(enter(book, inputs, agreed, learners, held))
    return pd.concat(entered, ignore_index=True)


def _enter_part(
    book: Book, inputs: Inputs, agreed: Settled, learners: pd.DataFrame, held: pd.DataFrame
) -> pd.DataFrame:
    existing = book.apart(held, [MEMBERSHIP])
    desired = rows.membership_rows(learners, agreed.totals, inputs.portal_ids)
    unreadable = existing["code"] == keys.UNREADABLE
    listed = existing["code"].isin(learners["learner"])
    left = existing["code"].isin(learners.loc[learners["side"].isna(), "learner"])
    flagged = existing["Removed_In_LearnUpon__c"].fillna(value=False).astype(bool)
    gone = existing["code"].isin(inputs.gone.get("member", frozenset()))
    kept = ~listed & ~unreadable & (flagged | gone)
    unconfirmed = ~listed & ~kept
    book.notes[UNREADABLE] += int(unreadable.sum())
    book.notes[UNCONFIRMED] += int((unconfirmed & ~unreadable).sum())
    entered = book.enter(
        MEMBERSHIP,
        book.fit(MEMBERSHIP, desired, decide.retire(existing[kept])),
        existing,
        key="code",
        stays=left,
        unconfirmed=unconfirmed,
        proof=_no_proof(existing),
        kept=int(kept.sum()),
    )
    twins = held["code"][~held["code"].isin(existing["code"])]  # which is the row nobody knows, but whom it should name
    entered = pd.concat([entered, desired[desired["code"].isin(twins)]], ignore_index=True) if len(twins) else entered
    members = _after(entered, held[~held["code"].isin(entered["code"])])
    if inputs.has_totals:
        return members
    return totals.without_columns(members, learners, agreed.totals, inputs.profiles)


def _enter_scoped_part(
    book: Book, inputs: Inputs, agreed: Settled, learners: pd.DataFrame, existing: pd.DataFrame
) -> pd.DataFrame:
    """Enter the memberships of a backfill: totals only where all enrollments were read, else only what is missing."""
    scope = inputs.scope
    if scope and scope.by_rows:
        learners = learners[learners["learner"].isin(agreed.in_scope)]
    desired = rows.membership_rows(learners, agreed.totals, inputs.portal_ids)
    if not (scope and scope.whole):
        desired = desired[~desired["code"].isin(existing["code"])].reset_index(drop=True)
        for column in COUNTS:
            desired[column] = pd.Series(pd.NA, index=desired.index, dtype="Int64")
    held = book.apart(existing[existing["code"].isin(desired["code"])], [MEMBERSHIP])
    nothing = pd.Series(data=False, index=held.index)
    entered = book.enter(
        MEMBERSHIP,
        book.fit(MEMBERSHIP, desired),
        held,
        key="code",
        stays=nothing,
        unconfirmed=nothing,
        proof=_no_proof(held),
    )
    return _after(entered, existing[~existing["code"].isin(entered["code"])])


def _after(entered: pd.DataFrame, untouched: pd.DataFrame) -> pd.DataFrame:
    """Return memberships as they will be after the run: code, place, and what the profiles are made of."""
    readable = untouched[untouched["code"] != keys.UNREADABLE].drop_duplicates("code")
    parts = [part[_OF_PROFILES] for part in (entered, readable) if len(part)] or [entered[_OF_PROFILES]]
    return pd.concat(parts, ignore_index=True).assign(place=lambda frame: keys.places(frame["code"]))


def _enter_profiles(book: Book, inputs: Inputs, members: pd.DataFrame, in_scope: pd.Index, *, unsure: set[int]) -> None:
    """Enter the profiles; `unsure` are learners (codes) of whom rows count that nobody was asked about tonight.

    In LearnUpon's package nothing says that such a row was found gone on another night. So that sums do not change from
    night to night with the rows that were asked about, the profiles there are of these learners stay as they are.
    """
    for entity in PROFILES:
        existing = inputs.profiles[entity.name]
        if not len(existing):
            continue
        wanted = totals.everybody(members, entity.person, existing, inputs.named.get(entity.name, frozenset()))
        if unsure and not inputs.has_totals:
            theirs = members.loc[members["code"].isin(unsure), f"{entity.person}__c"]
            stay = is_in(wanted["Id"], theirs) & is_in(wanted["Id"], existing["Id"][existing[totals.LU_USER].notna()])
            book.notes[UNSURE] += int(stay.sum())
            wanted = wanted[~stay]
        if inputs.scope:
            wanted = wanted[wanted["Id"].isin(_scoped_people(inputs, entity, in_scope))]
        enter_profiles(book, entity, wanted, existing)


def enter_profiles(book: Book, entity: Entity, wanted: pd.DataFrame, existing: pd.DataFrame) -> None:
    """Enter the profiles of people who exist; whom nobody refers to is not touched."""
    desired = wanted[is_in(wanted["Id"], existing["Id"])].reset_index(drop=True)
    held = existing[is_in(existing["Id"], desired["Id"])].reset_index(drop=True)
    nothing = pd.Series(data=False, index=held.index)
    book.enter(
        entity, book.fit(entity, desired), held, key="Id", stays=nothing, unconfirmed=nothing, proof=_no_proof(held)
    )
    plan = book.plan_of(entity)
    plan.newly_referred = int(held[totals.LU_USER].isna().sum())


def _scoped_people(inputs: Inputs, entity: Entity, in_scope: pd.Index) -> pd.Series:
    scope, learners = inputs.scope, inputs.learners
    mine = learners[learners["side"] == entity.person]
    if scope is None or not scope.whole:
        return mine["person_id"].iloc[:0]
    return mine.loc[mine["learner"].isin(in_scope), "person_id"] if scope.by_rows else mine["person_id"]


def members_held(park: Park, portal_ids: Sequence[int]) -> pd.DataFrame:
    """Return the memberships Salesforce holds as the profiles need them, each once."""
    parts = [existing_frame(table, MEMBERSHIP, portal_ids) for table in (park.schema.empty_table(), *park.batches())]
    members = pd.concat([_after(part.iloc[:0], part) for part in parts], ignore_index=True)
    return members.drop_duplicates("code", ignore_index=True)


def build_totals(
    members: pd.DataFrame, profiles: Mapping[str, pd.DataFrame], shapes: Mapping[str, Shapes], folder: Path
) -> Plan:
    """Return the plan that brings every person's profile in step with the membership rows as they are."""
    book = Book(folder, shapes)
    for entity in PROFILES:
        wanted = totals.everybody(members, entity.person, profiles[entity.name])
        enter_profiles(book, entity, wanted, profiles[entity.name])
    return book.close(PROFILES, [])
