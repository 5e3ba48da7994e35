"""Answers that are not the one asked for."""

import json

from gateway.admin.problems import problem


def test_a_problem_has_the_members_of_its_rfc() -> None:
    """Type, title, status and detail, under the media type of RFC 9457."""
    response = problem(503, "Wait.", fields={"Retry-After": "5"})
    assert (response.status, response.content_type) == (503, "application/problem+json")
    assert response.headers["Retry-After"] == "5"
    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == {
        "type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "Wait."}
