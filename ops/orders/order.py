"""What is ordered and what became of it, as JSON that another node wrote: read strictly, like a stranger's.

Each order is named by the pushed commit and the attempt, so that a push that was broken off finds its own again.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ops.errors import UserError
from ops.push import asked
from ops.push.pushes import LIVE, REFUSED
from ops.push.repository import SHORT

SCHEMA = 1
MOST_BYTES = 64 * 1024
MOST_ENTRIES = 100
MOST_CHARACTERS = 300
WHY_CHARACTERS = 4000
NAME = re.compile(r"(?P<commit>[0-9a-f]{40})-(?P<attempt>[1-9][0-9]{0,3})")
DIGEST = re.compile(r"([0-9a-f]{64})?")
RESULT = re.compile(f"{LIVE}|{REFUSED}")
DEPLOYMENT = re.compile(r"([0-9a-f]{12})?")


class WrongError(UserError):
    """What another node wrote is not what may be there."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "push again")


@dataclass(frozen=True, kw_only=True)
class Order:
    """`subject` is the commit's for people, `tree` the digest of the modules' tar; empty when there are none."""

    commit: str
    subject: str
    by: str
    modules: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    tree: str = ""

    @property
    def reason(self) -> str:
        """For the history."""
        return f"push of {self.commit[:SHORT]}: {self.subject}"

    def wants(self, other: "Order") -> bool:
        """Whether both are orders of the same, whoever pushed them."""
        return {**asdict(self), "by": ""} == {**asdict(other), "by": ""}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`outcome` is `LIVE` or `REFUSED`, `why` says what is; the rest is empty for what never came so far."""

    outcome: str
    why: str
    release: str = ""
    deployment: str = ""


def name(commit: str, attempt: int) -> str:
    return f"{commit}-{attempt}"


def order(content: bytes) -> Order:
    """Raises `WrongError`."""
    found = _read(content, ("commit", "subject", "by", "modules", "requirements", "models", "tree"))
    lists = {key: found.pop(key) for key in ("modules", "requirements", "models")}
    texts = _texts(found, {"commit": re.compile("[0-9a-f]{40}"), "tree": DIGEST})
    for key, value in lists.items():
        if isinstance(value, list) and len(value) > MOST_ENTRIES:
            raise WrongError(f"the order has {len(value)} {key}, and may have {MOST_ENTRIES}")
        if isinstance(value, list) and not all(isinstance(each, str) and _plain(each) for each in value):
            raise WrongError(f"the order has {key} that are no plain texts")
    problems: list[str] = []
    wanted = asked.release(lists, problems)
    if problems:
        raise WrongError("; ".join(problems))
    if bool(texts["tree"]) != bool(wanted.modules):
        raise WrongError("the order has modules without their files, or files without modules")
    return Order(**texts, modules=wanted.modules, requirements=wanted.requirements, models=wanted.models)


def outcome(content: bytes) -> Outcome:
    """Raises `WrongError`."""
    found = _read(content, ("outcome", "why", "release", "deployment"))
    why = found.pop("why")
    if not isinstance(why, str) or len(why) > WHY_CHARACTERS:
        raise WrongError(f"the outcome does not say why in at most {WHY_CHARACTERS} characters")
    texts = _texts(found, {"outcome": RESULT, "release": DIGEST, "deployment": DEPLOYMENT})
    return Outcome(**texts, why=printable(why))


def content(of: Order | Outcome) -> bytes:
    """What the two above read."""
    return json.dumps({"schema": SCHEMA, **asdict(of)}, indent=2, sort_keys=True).encode() + b"\n"


def refused(why: str, release: str = "", deployment: str = "") -> Outcome:
    return Outcome(outcome=REFUSED, why=why[:WHY_CHARACTERS], release=release, deployment=deployment)


def printable(text: str) -> str:
    """Without what a terminal would obey; lines stay lines."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text)


def line(text: str) -> str:
    """Of somebody's words, what an order may hold."""
    return " ".join(printable(text).split())[:MOST_CHARACTERS] or "unknown"


def _read(content: bytes, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise WrongError("it is no JSON") from None
    if not isinstance(found, dict) or found.keys() != {"schema", *keys}:
        raise WrongError(f"it must have just schema, {', '.join(keys)}")
    if found.pop("schema") != SCHEMA:
        raise WrongError(f"it is not written in schema {SCHEMA}: the two nodes' releases are too far apart")
    return found


def _texts(found: Mapping[str, Any], patterns: Mapping[str, re.Pattern[str]]) -> dict[str, str]:
    for key, value in found.items():
        fits: Callable[[str], Any] = pattern.fullmatch if (pattern := patterns.get(key)) else _plain
        if not isinstance(value, str) or not fits(value):
            raise WrongError(f"{key} is {str(value)[:50]!r}, which it cannot be")
    return dict(found)


def _plain(text: str) -> bool:
    return 0 < len(text) <= MOST_CHARACTERS and text.isprintable()
