"""Where a command prints: how wide that is, and whether it takes colours (a terminal, and NO_COLOR is not set)."""

import json
import os
import shutil
import sys
from dataclasses import asdict, is_dataclass
from typing import Any

import click

from ops.table import WIDTH_WITHOUT_TERMINAL


def colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Of the terminal; wide where there is none, so that a file or a pipe gets everything."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL


def lines(text: list[str]) -> None:
    for line in text:
        click.echo(line if colours() else click.unstyle(line))


def as_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def json_line(value: Any) -> None:
    """One value on one line, as programs read what does not end."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def say(text: str) -> None:
    """Progress, beside the result."""
    click.echo(text, err=True)


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
