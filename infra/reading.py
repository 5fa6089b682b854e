"""Reads one group of settings, keeping every problem instead of stopping at the first.

A problem says the setting, its value, the reason and the way out, because it is all that the operator will see.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Any, TypeVar

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True)
class Problem:
    setting: str
    value: object
    reason: str
    way_out: str

    def __str__(self) -> str:
        value = "is not set" if self.value is None else f"is {self.value!r}"
        return f"{self.setting} {value}: {self.reason}. {self.way_out}"


@dataclass
class Section:
    """`data` is one YAML mapping. Each reader returns a usable value even after a problem, so that reading goes on."""

    name: str
    data: Mapping[str, Any]
    problems: list[Problem]
    seen: set[str] = field(default_factory=set)

    def path(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else f"slipway:{key}"

    def problem(self, key: str, reason: str, way_out: str) -> None:
        self.problems.append(Problem(self.path(key), self.data.get(key), reason, way_out))

    def take(self, key: str) -> Any:
        self.seen.add(key)
        return self.data.get(key)

    def text(self, key: str, pattern: str, example: str, default: str | None = None) -> str:
        value = self.take(key)
        if value is None and default is not None:
            return default
        if value is None:
            self.problem(key, "it is required", f"Set it, for example to {example}.")
        elif isinstance(value, bool) or not re.fullmatch(pattern, str(value)):
            self.problem(key, "it is malformed", f"It should look like {example}.")
        else:
            return str(value)
        return ""

    def optional(self, key: str, pattern: str, example: str) -> str | None:
        return self.text(key, pattern, example) if key in self.data else self.take(key)

    def share(self, key: str, default: float) -> float:
        """A part of a whole."""
        value = self.take(key)
        try:
            found = default if value is None or isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            found = -1.0
        if isinstance(value, bool) or not 0 <= found <= 1:
            self.problem(key, "it is no share", "Give a number from 0 to 1, like 0.01.")
            return default
        return found

    def number(self, key: str, low: int, high: int, default: int) -> int:
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.problem(key, "it is not a whole number", f"Give one from {low} to {high}.")
        elif not low <= value <= high:
            self.problem(key, "it is out of range", f"Give a number from {low} to {high}.")
        else:
            return value
        return default

    def decimal(self, key: str, low: float, high: float, default: float) -> float:
        value = self.take(key)
        if value is None:
            return default
        try:
            number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
        except ValueError:
            number = None
        if number is None:
            self.problem(key, "it is not a number", f"Give one from {low} to {high}.")
        elif not low <= number <= high:
            self.problem(key, "it is out of range", f"Give a number from {low} to {high}.")
        else:
            return number
        return default

    def flag(self, key: str, default: bool) -> bool:
        value = self.take(key)
        if value is None:
            return default
        if value in ("true", "false"):
            return bool(value == "true")
        if not isinstance(value, bool):
            self.problem(key, "it is neither true nor false", "Write true or false.")
            return default
        return value

    def choice(self, key: str, choices: type[E], default: E) -> E:
        value = self.take(key)
        if value is None:
            return default
        if value not in list(choices):
            self.problem(key, "there is no such choice", f"Choose one of {', '.join(choices)}.")
            return default
        return choices(value)

    def texts(self, key: str, pattern: str, example: str, *, required: bool = True) -> tuple[str, ...]:
        value = self.take(key)
        if value is None and not required:
            return ()
        if value is None:
            self.problem(key, "it is required", f"Give a list, for example [{example}].")
        elif not isinstance(value, list) or not value:
            self.problem(key, "it is not a list with at least one entry", f"Write it as [{example}].")
        elif wrong := [entry for entry in value if not isinstance(entry, str) or not re.fullmatch(pattern, entry)]:
            self.problem(key, f"{wrong[0]!r} is malformed", f"An entry looks like {example}.")
        else:
            return tuple(value)
        return ()

    def network(self, key: str, default: str | None = None) -> IPv4Network:
        value = self.take(key)
        value = default if value is None else value
        if value is None:
            self.problem(key, "it is required", "Give an IPv4 range, for example 10.20.0.0/16.")
        else:
            try:
                return IPv4Network(str(value))
            except ValueError as error:
                self.problem(key, f"it is not an IPv4 range ({error})", "Write it like 10.20.0.0/16.")
        return IPv4Network("10.0.0.0/16")

    def networks(self, key: str, required: bool) -> tuple[IPv4Network, ...]:
        if not required and key not in self.data:
            self.seen.add(key)
            return ()
        found = []
        for entry in self.texts(key, r".+", "203.0.113.0/24"):
            try:
                found.append(IPv4Network(entry))
            except ValueError as error:
                self.problem(key, f"{entry!r} is not an IPv4 range ({error})", "Write each like 203.0.113.0/24.")
        return tuple(found)

    def section(self, key: str) -> "Section":
        value = self.take(key)
        if value is not None and not isinstance(value, Mapping):
            self.problem(key, "it is not a group of settings", "See Pulumi.prod.yaml for what belongs there.")
            value = None
        return Section(self.path(key), value or {}, self.problems)

    def finish(self) -> None:
        """Refuses what nothing has read: a misspelled setting must not be silently ignored."""
        for key in sorted(set(self.data) - self.seen):
            near = difflib.get_close_matches(key, self.seen, n=1)
            way_out = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(sorted(self.seen))}."
            self.problem(key, "there is no such setting", way_out)
