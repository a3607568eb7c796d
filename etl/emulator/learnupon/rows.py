"""Full LearnUpon rows with every documented key filled; holds no rows and links none.

Key sets: bodies recorded by a public PHP SDK, plus the keys that only the API documents name
(`updated_at`, `from_store`, ... on enrollments). Timestamps are ``YYYY-MM-DDTHH:MM:SSZ``, UTC.
"""

from __future__ import annotations

from typing import Any

FINISHED = ("completed", "passed", "failed")
STATUSES = ("not_started", "in_progress", "pending_review", *FINISHED)

Fields = dict[str, Any]


def user(user_id: int, stamp: str) -> Fields:
    """A learner who never signed in; `updated_at` and `timezone_id` are shown with version_id only."""
    return {
        "id": user_id,
        "first_name": f"First{user_id}",
        "last_name": f"Last{user_id}",
        "email": f"user{user_id}@example.com",
        "sign_in_count": 0,
        "number_of_enrollments": 0,
        "number_of_enrollments_accessed": 0,
        "created_at": stamp,
        "updated_at": stamp,
        "last_sign_in_at": None,
        "account_expires": None,
        "sf_user_id": None,
        "sf_contact_id": None,
        "is_salesforce_contact": 0,
        "CustomData": None,
        "customDataFieldValues": [],
        "locale": "en",
        "timezone_id": "UTC",
        "enabled": True,
        "user_type": "learner",
        "can_enroll": True,
        "can_delete_users": False,
        "can_unenroll_users": False,
        "can_move_groups": False,
        "can_mark_complete": False,
        "tutor_can_edit_their_courses": True,
        "tutor_can_create_courses": False,
    }


def course(course_id: int, stamp: str) -> Fields:
    """A published first version; its counters start at 0 and are never kept up (measured: stale)."""
    counters = ("enrolled", "not_started", "in_progress", "completed", "passed", "failed", "pending_review")
    return {
        "id": course_id,
        "name": f"Course {course_id}",
        "version": 1,
        "source_id": course_id,
        "allow_users_rate_course": True,
        "sellable": False,
        "keywords": None,
        "cataloged": False,
        "reference_code": "",
        "manager_can_enroll": False,
        "number_of_reviews": 0,
        "number_of_stars": 0,
        **{f"num_{name}": 0 for name in counters},
        "number_of_modules": 1,
        "due_days_after_enrollment": None,
        "due_date_after_enrollment": None,
        "send_due_date_reminders": False,
        "due_date_reminder_days": None,
        "due_date_reminder_days_2": None,
        "thumbnail_image_url": None,
        "credits_to_be_awarded": "",
        "created_at": stamp,
        "date_published": stamp,
        "description_html": "",
        "description_text": "",
        "objectives_html": "",
        "objectives_text": "",
        "price": 0,
        "course_length_unit": "minutes",
        "minute_length": 5,
        "published_status_id": "published",
        "difficulty_level": "not_applicable",
        "customDataFieldValues": [],
    }


def path(path_id: int, stamp: str) -> Fields:
    """A published learning path; its courses are kept beside it and shown with include_courses only."""
    return {
        "id": path_id,
        "name": f"Path {path_id}",
        "sellable": False,
        "cataloged": False,
        "keywords": None,
        "due_days_after_enrollment": None,
        "due_date_after_enrollment": None,
        "send_due_date_reminders": False,
        "due_date_reminder_days": None,
        "due_date_reminder_days_2": None,
        "minute_length": None,
        "path_length_unit": "minutes",
        "price": 0,
        "published_status_id": "published",
        "difficulty_level": "not_applicable",
        "description_html": "",
        "description_text": "",
        "credits_to_be_awarded": "",
        "created_at": stamp,
        "date_published": stamp,
        "thumbnail_image_url": None,
    }


def portal(portal_id: int, title: str, subdomain: str, members: int, stamp: str) -> Fields:
    """A portal as GET /portals lists it."""
    return {
        "id": portal_id,
        "title": title,
        "subdomain": subdomain,
        "description": "",
        "ui_theme": 1,
        "allow_course_authoring": True,
        "number_licenses_purchased": None,
        "number_licenses_used": None,
        "number_of_members": members,
        "logo_image_url": None,
        "header_color": None,
        "navigation_color": None,
        "created_at": stamp,
        "updated_at": stamp,
    }


def group(group_id: int, title: str, stamp: str) -> Fields:
    """A group without members."""
    return {"id": group_id, "title": title, "description": "", "created_at": stamp, "updated_at": stamp}


def dates(status: str, enrolled: str, stamp: str) -> Fields:
    """Dates and progress that go with a course status: a later state has the dates of the earlier ones."""
    if status == "not_started":
        return {"date_started": None, "date_completed": None, "date_lastaccessed": None, "percentage_complete": None}
    done = stamp if status in FINISHED else None
    progress = 100 if status in FINISHED else 50
    return {
        "date_started": enrolled,
        "date_completed": done,
        "date_lastaccessed": stamp,
        "percentage_complete": progress,
    }


def enrollment(enrollment_id: int, learner: Fields, taken: Fields, fields: Fields, stamp: str) -> Fields:
    """An enrollment of a learner in a course version, with names and e-mail copied onto it as LearnUpon does."""
    status = fields.get("status", "not_started")
    enrolled = fields.get("date_enrolled", stamp)
    row = {
        "id": enrollment_id,
        "course_id": taken["id"],
        "course_source_id": taken["source_id"],
        "version": taken["version"],
        "user_id": learner["id"],
        "percentage": None,
        "has_attempts_remaining": status not in FINISHED,
        **dates(status, enrolled, stamp),
        "date_enrolled": enrolled,
        "course_name": taken["name"],
        "first_name": learner["first_name"],
        "last_name": learner["last_name"],
        "email": learner["email"],
        "certificate_name": None,
        "unenrolled": False,
        "due_date": None,
        "calculated_due_date": None,
        "cert_expires_at": None,
        "course_access_expires_at": None,
        "status": status,
        "was_recertified": False,
        "from_store": False,
        "from_catalog": False,
        "is_overdue": False,
        "group_id": None,
        "updated_at": stamp,
    }
    if "username" in learner:
        row["username"] = learner["username"]
    row.update(fields)
    return row


def path_enrollment(enrollment_id: int, learner: Fields, taken: Fields, fields: Fields, stamp: str) -> Fields:
    """An enrollment of a learner in a path: no counts, no progress, no updated_at (three sources agree)."""
    status = fields.get("status", "not_started")
    enrolled = fields.get("date_enrolled", stamp)
    timing = dates(status, enrolled, stamp)
    del timing["percentage_complete"]
    row = {
        "id": enrollment_id,
        "percentage": None,
        "lp_id": taken["id"],
        "lp_name": taken["name"],
        "user_id": learner["id"],
        "first_name": learner["first_name"],
        "last_name": learner["last_name"],
        "email": learner["email"],
        "certificate_name": None,
        "unenrolled": False,
        "status": status,
        "due_date": None,
        **timing,
        "date_enrolled": enrolled,
        "cert_expires_at": None,
        "was_recertified": False,
    }
    if "username" in learner:
        row["username"] = learner["username"]
    row.update(fields)
    return row
