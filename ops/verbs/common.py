"""What the verbs share: how help shows examples, and how JSON is asked for."""

from collections.abc import Callable
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def compile_option(default: str | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`mode`; None leaves what is served as it is."""
    told = "Serve them compiled where that is better, or never." + ("" if default else " Without it, as they are now.")
    choice = click.Choice(["auto", "never"])
    return click.option("--compile", "mode", type=choice, default=default, show_default=bool(default), help=told)


def examples(*lines: str) -> str:
    """An epilog that click leaves as it is."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def verb(name: str, *shown: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A command whose help ends with examples."""
    return click.command(name, epilog=examples(*shown), context_settings={"help_option_names": ["-h", "--help"]})
