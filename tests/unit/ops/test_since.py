"""Moments as journalctl takes them."""

from datetime import UTC, datetime

import pytest

from ops.errors import UserError
from ops.since import parse

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("-5min", "2026-03-04T05:01:07"),
        ("-1h30min", "2026-03-04T03:36:07"),
        ("10 min ago", "2026-03-04T04:56:07"),
        ("2 days ago", "2026-03-02T05:06:07"),
        ("12:00", "2026-03-04T12:00:00"),
        ("01:02:03", "2026-03-04T01:02:03"),
        ("now", "2026-03-04T05:06:07"),
        ("today", "2026-03-04T00:00:00"),
        ("yesterday", "2026-03-03T00:00:00"),
        ("2026-01-02", "2026-01-02T00:00:00"),
        ("2026-01-02 03:04", "2026-01-02T03:04:00"),
        ("2026-01-02 03:04:05 UTC", "2026-01-02T03:04:05"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05"),
    ],
)
def test_what_people_type_is_a_moment(text: str, moment: str) -> None:
    assert parse(text, NOW).astimezone(UTC).isoformat() == f"{moment}+00:00"


@pytest.mark.parametrize("text", ["", "5min", "-5 moons", "soon", "25:00", "-", "ago"])
def test_what_is_none_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(UserError, match=f"^--since: '{text}' is no time"):
        parse(text, NOW)
