"""Errors as Salesforce words them: of a call (a JSON array) and of one record; nothing is handled here."""

from __future__ import annotations

from typing import Any

from etl.emulator.messages import Response


class ApiError(Exception):
    """A refused call: HTTP status, error code, message (REST guide, "Status Codes and Error Responses")."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keep the three parts."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> Response:
        """The answer: an array with one error."""
        return Response.json([{"errorCode": self.code, "message": self.message}], self.status)


class RowError(Exception):
    """A refused record: status code, message, fields (SOAP guide, "StatusCode")."""

    def __init__(self, code: str, message: str, *fields: str) -> None:
        """Keep the three parts."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = list(fields)

    @property
    def bulk(self) -> str:
        """The text of `sf__Error`: ``CODE:message:Field1 Field2 --`` (punctuation: assumed from samples)."""
        return f"{self.code}:{self.message}:{' '.join(self.fields)}{' ' if self.fields else ''}--"

    def as_json(self) -> dict[str, Any]:
        """The error in an answer of the collections resource."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields}


def not_found() -> ApiError:
    """404 for a resource or record that is not there."""
    return ApiError(404, "NOT_FOUND", "The requested resource does not exist")
