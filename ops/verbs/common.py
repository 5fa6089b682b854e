"""What the verbs share: options that several have, and how help shows examples."""

from collections.abc import Callable
from typing import Any

import click

data_option = click.option(
    "--data", metavar="PATH|postgresql://…", help="Where the table is; without it the pipeline's own."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def compile_option(default: str | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`mode`; None leaves what is served as it is."""
    told = "Serve them compiled where that is better, or never." + ("" if default else " Without it, as they are now.")
    choice = click.Choice(["auto", "never"])
    return click.option("--compile", "mode", type=choice, default=default, show_default=bool(default), help=told)


def examples(*lines: str) -> str:
    """An epilog that click leaves as it is."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def verb(name: str, *shown: str, **settings: bool) -> Callable[[Callable[..., Any]], click.Command]:
    """A command whose help ends with examples. `settings` are click's of its context."""
    context = {"help_option_names": ["-h", "--help"], **settings}
    return click.command(name, epilog=examples(*shown), context_settings=context)
