"""Cron lines, checked before a scheduler reads them: one that it refuses shows up as a pipeline without a DAG."""

import re

FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 7))
PRESETS = ("@hourly", "@daily", "@weekly", "@monthly")
WORDS = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "day of the week": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
PART = re.compile(r"(?P<all>\*)(/(?P<every>\d+))?|(?P<low>\w+)(-(?P<high>\w+)(/(?P<step>\d+))?)?")


def mistake(line: str) -> str:
    """What is wrong with a line; nothing when it can be used."""
    if line in PRESETS:
        return ""
    fields = line.split()
    if len(fields) != len(FIELDS):
        return f"it has {len(fields)} fields and not five"
    for text, (name, low, high) in zip(fields, FIELDS, strict=True):
        if any(not _known(part, name, low, high) for part in text.split(",")):
            return f"{text!r} is no {name}"
    return ""


def _known(part: str, name: str, low: int, high: int) -> bool:
    found = PART.fullmatch(part)
    if found is None:
        return False
    if found["all"]:
        return found["every"] is None or 1 <= int(found["every"]) <= high
    first = _number(found["low"], name, low)
    last = first if found["high"] is None else _number(found["high"], name, low)
    return low <= first <= last <= high and (found["step"] is None or int(found["step"]) >= 1)


def _number(text: str, name: str, low: int) -> int:
    """-1 for what is none."""
    words = WORDS.get(name, ())
    if text.lower() in words:
        return words.index(text.lower()) + (1 if name == "month" else 0)
    return int(text) if text.isdigit() else low - 1
