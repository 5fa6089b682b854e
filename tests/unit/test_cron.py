"""Which cron lines a setting may hold."""

import pytest

from infra import cron


@pytest.mark.parametrize(
    "line",
    [
        "0 3 * * *",
        "*/15 * * * *",
        "0 9-17/2 * * mon-fri",
        "5,35 0 1 jan,JUL 0",
        "59 23 31 12 7",
        "@daily",
        "0 0 1-7 * *",
    ],
)
def test_a_line_that_a_scheduler_takes_is_fine(line: str) -> None:
    assert cron.mistake(line) == ""


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("0 3 * *", "it has 4 fields and not five"),
        ("0 3 * * * *", "it has 6 fields and not five"),
        ("60 3 * * *", "'60' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 3 0 * *", "'0' is no day of the month"),
        ("0 3 * 13 *", "'13' is no month"),
        ("0 3 * * 8", "'8' is no day of the week"),
        ("0 3 * * fri-mon", "'fri-mon' is no day of the week"),
        ("0 5-3 * * *", "'5-3' is no hour"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("1, 3 * * *", "'1,' is no minute"),
        ("-1 3 * * *", "'-1' is no minute"),
        ("@reboot", "it has 1 fields and not five"),
        ("", "it has 0 fields and not five"),
    ],
)
def test_a_line_that_none_takes_is_refused_with_the_field(line: str, wrong: str) -> None:
    assert cron.mistake(line) == wrong
