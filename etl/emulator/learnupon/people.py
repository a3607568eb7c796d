"""Endpoints about people: users, groups, memberships; reads only.

Envelopes and fields: public PHP SDK's recorded bodies and the API documents, users and groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.emulator.learnupon.answers import Fields, Listing, Query, Refusal, Whole, contains, gone, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.learnupon.portal import Portal
    from etl.emulator.learnupon.shelf import Shelf

VERSION_KEYS = {"1.1": ("updated_at",), "1.2": ("timezone_id",)}


def users(portal: Portal, shelf: Shelf, query: Query) -> Listing:
    """All users: the definitions of custom fields first, then the list under the singular `user`.

    `login_enabled` filters; `version_id` 1.1 adds `updated_at`, 1.2 adds `timezone_id` (whether 1.2 includes
    1.1's field is not documented: here it does not). Other filters are ignored (measured).
    """
    rows = shelf.rows("users")
    wanted = query.get("login_enabled", "").lower()
    if wanted in ("true", "false"):
        rows = [row for row in rows if bool(row["enabled"]) == (wanted == "true")]
    return Listing("user", rows, _user_view(query), _definitions(portal))


def user(portal: Portal, query: Query, one_id: int) -> Whole:
    """One user by id, with awards (API documents, users): an array in the same envelope."""
    row = portal.users.get(one_id)
    if row is None:
        return gone(portal, "user", one_id)
    shown = _user_view(query)(row)
    shown |= {"number_of_points": 0, "number_of_badges": 0, "awards": []}
    return Whole(_definitions(portal) | {"user": [shown]})


def user_search(portal: Portal, shelf: Shelf, query: Query) -> Listing:
    """Search by e-mail or username, without case (assumed); no hit is a 404.

    Without either filter the whole list comes, as measured for ``users/search?user_id=``.
    """
    if "email" not in query and "username" not in query:
        return users(portal, shelf, query)
    found = find_users(shelf, query)
    if not found:
        raise Refusal(portal.knobs.user_not_found, "User not found")
    return Listing("user", found, _user_view(query), _definitions(portal))


def find_users(shelf: Shelf, query: Query) -> list[Fields]:
    """Users with the e-mail and the username of the query."""
    rows = shelf.rows("users")
    for key in ("email", "username"):
        if key in query:
            wanted = query[key].casefold()
            rows = [row for row in rows if str(row.get(key) or "").casefold() == wanted]
    return rows


def custom_user_data(portal: Portal) -> Whole:
    """Definitions of custom fields alone."""
    return Whole(_definitions(portal))


def instructors(portal: Portal, shelf: Shelf, query: Query) -> Listing:
    """Users who are instructors."""
    rows = [row for row in shelf.rows("users") if row["user_type"] == "instructor"]
    return Listing("user", rows, _user_view(query), _definitions(portal))


def groups(shelf: Shelf, portal: Portal, query: Query) -> Listing:
    """Groups with their number of members; `title` is a pattern."""
    rows = shelf.rows("groups")
    if "title" in query:
        fits = contains(query["title"])
        rows = [row for row in rows if fits(row["title"])]
    sizes: dict[int, int] = {}
    for group_id, _ in portal.memberships:
        sizes[group_id] = sizes.get(group_id, 0) + 1
    return Listing("groups", rows, lambda row: dict(row) | {"number_of_members": sizes.get(row["id"], 0)})


def group_memberships(portal: Portal, shelf: Shelf, query: Query) -> Listing:
    """Members of a group under `user`, or groups of a user under `group`; neither asked for is a 404 (attested)."""
    if "group_id" in query:
        members = {user for group, user in portal.memberships if group == number(query["group_id"])}
        return Listing("user", [row for row in shelf.rows("users") if row["id"] in members], _user_view(query))
    if "user_id" in query:
        joined = {group for group, user in portal.memberships if user == number(query["user_id"])}
        return Listing("group", [row for row in shelf.rows("groups") if row["id"] in joined])
    raise Refusal(404, "group_id or user_id is missing")


def _definitions(portal: Portal) -> Fields:
    key = "customDataFieldDefintions" if portal.knobs.misspelt_definitions else "customDataFieldDefinitions"
    return {key: list(portal.custom_fields)}


def _user_view(query: Query) -> Callable[[Fields], Fields]:
    """Hide the keys that only a `version_id` shows."""
    shown = VERSION_KEYS.get(query.get("version_id", ""), ())
    hidden = [key for keys in VERSION_KEYS.values() for key in keys if key not in shown]

    def view(row: Fields) -> Fields:
        copy = dict(row)
        for key in hidden:
            copy.pop(key, None)
        return copy

    return view
