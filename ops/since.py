"""A moment as journalctl takes it for `--since`, for journals that are read without journalctl.

Only the forms that people type; times of day are UTC, as they are on the nodes.
"""

import re
from datetime import UTC, datetime, timedelta

from ops.errors import UserError

UNITS = {
    "s sec second seconds": timedelta(seconds=1),
    "m min minute minutes": timedelta(minutes=1),
    "h hr hour hours": timedelta(hours=1),
    "d day days": timedelta(days=1),
    "w week weeks": timedelta(weeks=1),
}
LENGTHS = {word: length for words, length in UNITS.items() for word in words.split()}
PART = re.compile(r"(\d+)\s*([a-z]+)\s*")
CLOCK = ("%H:%M", "%H:%M:%S")
DAYS = {"today": 0, "yesterday": 1}


def parse(text: str, now: datetime) -> datetime:
    """`-5min`, `-1h30min`, `10 min ago`, `12:00`, `2026-01-02`, `2026-01-02 12:00`, `today`, `yesterday`, `now`.

    Raises `UserError`.
    """
    wanted = text.strip()
    ago = wanted.removeprefix("-").removesuffix("ago").strip()
    if ago != wanted and (back := length(ago)) is not None:
        return now - back
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if wanted in DAYS:
        return midnight - timedelta(days=DAYS[wanted])
    if wanted == "now":
        return now
    for form in CLOCK:
        try:
            clock = datetime.strptime(wanted, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return midnight.replace(hour=clock.hour, minute=clock.minute, second=clock.second)
    try:
        found = datetime.fromisoformat(wanted.removesuffix(" UTC"))
    except ValueError:
        raise UserError(
            f"--since: {text!r} is no time", "write -5min, '10 min ago', 12:00 or '2026-01-02 12:00'"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def length(text: str) -> timedelta | None:
    """`1h30min`, `10 min`; None when it is no length of time."""
    parts = PART.findall(text)
    if not parts or PART.sub("", text) or any(unit not in LENGTHS for _, unit in parts):
        return None
    return sum((int(count) * LENGTHS[unit] for count, unit in parts), timedelta())
