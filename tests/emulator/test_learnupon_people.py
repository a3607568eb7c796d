"""Conformance of the emulated LearnUpon: users, groups, courses and learning paths."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from learnupon_portal import Door


@pytest.fixture
def door() -> Iterator[Door]:
    """A portal without rows; the emulator must not have failed in the end."""
    with Door() as opened:
        yield opened
        assert opened.server.errors == []


def test_users_come_under_user_after_the_definitions(door: Door) -> None:
    """The list key is the singular `user`, the definitions come first (PHP SDK's recorded body)."""
    door.portal.custom_fields = [{"id": 1, "type_id": 1, "label": "Job"}]
    door.portal.add_user()
    body = door.get("users").json()
    assert list(body) == ["customDataFieldDefinitions", "user"]
    assert body["customDataFieldDefinitions"][0]["label"] == "Job"
    door.store.knobs.misspelt_definitions = True
    assert next(iter(door.get("users").json())) == "customDataFieldDefintions"
    assert door.get("users/customuserdata").json() == {"customDataFieldDefintions": door.portal.custom_fields}


def test_users_show_the_documented_keys(door: Door) -> None:
    """Keys of the PHP SDK's recorded user; `updated_at` and `timezone_id` with version_id only (API documents)."""
    door.portal.add_user()
    row = door.get("users").json()["user"][0]
    wanted = {"id", "first_name", "last_name", "email", "sign_in_count", "number_of_enrollments", "created_at"}
    wanted |= {"number_of_enrollments_accessed", "last_sign_in_at", "account_expires", "sf_user_id", "sf_contact_id"}
    wanted |= {"is_salesforce_contact", "CustomData", "customDataFieldValues", "locale", "enabled", "user_type"}
    assert wanted <= set(row)
    assert not {"updated_at", "timezone_id", "username"} & set(row)
    assert "updated_at" in door.get("users?version_id=1.1").json()["user"][0]
    assert "timezone_id" in door.get("users?version_id=1.2").json()["user"][0]


def test_is_salesforce_contact_keeps_its_type(door: Door) -> None:
    """0/1 in real bodies, a boolean in the documents: both come through as they are."""
    for value in (0, 1, True, False):
        door.portal.add_user(is_salesforce_contact=value)
    assert [row["is_salesforce_contact"] for row in door.rows("users", "user")] == [0, 1, True, False]
    assert '"is_salesforce_contact":1,' in door.get("users").text
    assert '"is_salesforce_contact":true,' in door.get("users").text


def test_login_enabled_filters_and_other_filters_do_not(door: Door) -> None:
    """`login_enabled` narrows (API documents); unknown filters give the whole list with 200 (measured)."""
    ids = [door.portal.add_user(enabled=enabled)["id"] for enabled in (True, False)]
    assert door.ids("users?login_enabled=false", "user") == [ids[1]]
    assert door.ids("users?login_enabled=true", "user") == [ids[0]]
    assert door.ids("users?group_id=7", "user") == ids
    assert door.ids("users/search?user_id=999", "user") == ids


def test_search_by_email_ignores_case_and_misses_with_404(door: Door) -> None:
    """users/search knows e-mail and user name; nobody found is 404, or 422 by knob."""
    one = door.portal.add_user(email="Ana@example.com", username="ana.k")["id"]
    assert door.ids("users/search?email=aNA@EXAMPLE.com", "user") == [one]
    assert door.ids("users/search?username=ana.k", "user") == [one]
    missing = door.get("users/search?email=nobody@example.com")
    assert (missing.status_code, missing.json()["response_code"]) == (404, 404)
    door.store.knobs.user_not_found = 422
    assert door.get("users/search?email=nobody@example.com").status_code == 422


def test_user_by_id_is_an_array_with_awards(door: Door) -> None:
    """One user comes in the same envelope (measured), with awards (API documents)."""
    one = door.portal.add_user()["id"]
    answer = door.get(f"users/{one}")
    assert [row["id"] for row in answer.json()["user"]] == [one]
    assert answer.json()["user"][0]["awards"] == []
    assert "LU-Has-Next-Page" not in answer.headers


@pytest.mark.parametrize("path", ["users", "enrollments", "learning_path_enrollments"])
def test_gone_ids_are_404_or_an_empty_list(door: Door, path: str) -> None:
    """Both answers were seen for ids that do not exist; by default it depends on the id."""
    key = "user" if path == "users" else "enrollments"
    assert door.get(f"{path}/888").status_code == 404
    assert door.get(f"{path}/889").json()[key] == []
    door.store.knobs.gone = "404"
    assert door.get(f"{path}/889").status_code == 404
    door.store.knobs.gone = "empty"
    assert door.get(f"{path}/888").json()[key] == []


def test_a_deleted_user_takes_the_history_along(door: Door) -> None:
    """Deleting a user deletes the training history (vendor's help)."""
    one = door.taken(1, status="passed")[0]
    path = door.portal.add_path(courses=[])["id"]
    learner = door.portal.enrollments[one]["user_id"]
    door.portal.add_path_enrollment(user_id=learner, path_id=path)
    door.portal.remove_user(learner)
    door.store.knobs.gone = "404"
    assert door.get(f"users/{learner}").status_code == 404
    assert door.get(f"enrollments/{one}").status_code == 404
    assert door.ids(f"learning_path_enrollments/search?lp_id={path}", "enrollments") == []


def test_group_memberships_need_a_side_and_change_their_key(door: Door) -> None:
    """Members come under `user`, a user's groups under `group`, neither asked for is 404 (recorded, measured)."""
    one, two = door.portal.add_user()["id"], door.portal.add_user()["id"]
    group = door.portal.add_group(title="Field staff", user_ids=[two])["id"]
    assert door.get("group_memberships").status_code == 404
    assert door.ids(f"group_memberships?group_id={group}", "user") == [two]
    assert door.ids(f"group_memberships?user_id={two}", "group") == [group]
    assert door.ids(f"group_memberships?user_id={one}", "group") == []
    assert door.rows("groups?title=field", "groups")[0]["number_of_members"] == 1
    assert door.get("group_invites").json() == {"group_invite": []}


def test_courses_show_current_published_versions_only(door: Door) -> None:
    """Old versions, drafts and licensed courses need their flags, all false by default (API documents)."""
    add = door.portal.add_course
    old = add(published_status_id="archived")["id"]
    new = add(source_id=old, version=2)["id"]
    draft = add(source_id=old, version=3, published_status_id="draft")["id"]
    revised = add(published_status_id="under_revision")["id"]
    licensed = add(licensed=True)["id"]
    assert door.ids("courses", "courses") == [new, revised]
    assert door.ids("courses?include_all_versions=true", "courses") == [old, new, revised]
    assert door.ids("courses?include_draft=true", "courses") == [new, draft, revised]
    assert door.ids("courses?include_drafts=true", "courses") == [new, revised]
    assert door.ids("courses?include_licensed_courses=true", "courses") == [new, revised, licensed]
    both = "courses?include_all_versions=true&include_licensed_courses=true"
    assert door.ids(both, "courses") == [old, new, revised, licensed]
    assert door.ids("courses?include_all_versions=false", "courses") == [new, revised]


def test_a_published_version_below_the_newest_is_an_old_one(door: Door) -> None:
    """Of several published versions the highest is the current one."""
    first = door.portal.add_course()["id"]
    second = door.portal.add_course(source_id=first, version=2)["id"]
    assert door.ids("courses", "courses") == [second]


def test_course_filters(door: Door) -> None:
    """`course_id` and `name` narrow; `id` and `reference_code` are ignored; courses/{id} is 404 (measured)."""
    one, two = door.portal.add_course(name="Fire Safety")["id"], door.portal.add_course(name="First Aid")["id"]
    assert door.ids(f"courses?course_id={two}", "courses") == [two]
    assert door.ids("courses?name=fire", "courses") == [one]
    assert door.ids(f"courses?id={two}", "courses") == [one, two]
    assert door.ids("courses?reference_code=X", "courses") == [one, two]
    assert door.get(f"courses/{one}").status_code == 404


def test_course_counters_are_stale(door: Door) -> None:
    """A course with enrollments shows 0 enrolled until LearnUpon recounts, and leaves unenrolled out (measured)."""
    ids = door.taken(3, status="passed", percentage=90)
    course = door.portal.enrollments[ids[0]]["course_id"]
    assert door.rows("courses", "courses")[0]["num_enrolled"] == 0
    door.portal.unenroll(ids[0])
    door.portal.recount(course)
    row = door.rows("courses", "courses")[0]
    assert (row["num_enrolled"], row["num_passed"]) == (2, 2)


def test_learning_paths_and_their_courses(door: Door) -> None:
    """`include_courses` adds the courses, drafts need their flag, archived paths are never listed (API documents)."""
    course = door.portal.add_course(source_id=77, version=3)["id"]
    one = door.portal.add_path(courses=[course], name="Start")["id"]
    draft = door.portal.add_path(courses=[], published_status_id="draft")["id"]
    door.portal.add_path(courses=[], published_status_id="archived")
    assert door.ids("learning_paths", "learning_paths") == [one]
    assert door.ids("learning_paths?include_draft=true", "learning_paths") == [one, draft]
    assert door.ids("learning_paths?include_draft=true&name=star", "learning_paths") == [one]
    assert door.ids(f"learning_paths?include_draft=true&id={draft}", "learning_paths") == [draft]
    assert "courses" not in door.rows("learning_paths", "learning_paths")[0]
    shown = door.rows("learning_paths?include_courses=true", "learning_paths")[0]["courses"]
    assert [(one["id"], one["source_id"], one["version"]) for one in shown] == [(course, 77, 3)]


def test_user_counters_count_all_and_the_accessed(door: Door) -> None:
    """number_of_enrollments is all, _accessed those in progress, completed or passed (API documents)."""
    learner = door.portal.add_user()["id"]
    courses = [door.portal.add_course()["id"] for _ in range(4)]
    for course, status in zip(courses, ("not_started", "in_progress", "completed", "failed"), strict=True):
        last = door.portal.add_enrollment(user_id=learner, course_id=course, status=status)
    door.portal.change_enrollment(last["id"], status="passed")
    row = door.rows("users", "user")[0]
    assert (row["number_of_enrollments"], row["number_of_enrollments_accessed"]) == (4, 3)
