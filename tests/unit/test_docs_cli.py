"""The page of the `slipway` command is held against the command: every verb, every option, every example."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from ops.cli import main
from tests.unit import documents
from tests.unit.documents import ROOT

PAGE = ROOT / "docs" / "cli.md"
INTERNAL = {"maintenance", "rollout", "watch"}


def verbs(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is no group, with its words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from verbs(command, *path, name)
        else:
            yield (*path, name), command


PUBLIC = [(path, command) for path, command in verbs(main) if path[0] not in INTERNAL]
EACH = pytest.mark.parametrize(("path", "command"), PUBLIC, ids=[" ".join(path) for path, _ in PUBLIC])


def mentions(text: str) -> list[list[str]]:
    """The words after `slipway` of each command in a text, without comments and shell around it."""
    lines = re.findall(r"(?:^|`|\s)slipway ([a-z][^`|\n#]*)", text)
    return [shlex.split(line.partition("  ")[0]) for line in lines]


def accepted(words: list[str]) -> click.Command:
    """The command that these words lead to; fails when there is none, or when it has not the options."""
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"slipway {' '.join(words)}: there is no {rest[0]}"
        command = command.commands[rest.pop(0)]
    if command.context_settings.get("ignore_unknown_options"):
        return command
    known = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
    unknown = [word for word in rest if re.match(r"--?[a-z]", word) and word not in known | {"-10min", "-5min"}]
    assert not unknown, f"slipway {' '.join(words)}: there is no {unknown}"
    return command


@EACH
def test_help_explains_with_examples_that_exist(path: tuple[str, ...], command: click.Command) -> None:
    shown = CliRunner().invoke(main, [*path, "--help"])
    assert shown.exit_code == 0
    assert "Examples:" in shown.output
    examples = mentions(shown.output.partition("Examples:")[2])
    assert examples
    for words in examples:
        accepted(words)
    assert command in [accepted(words) for words in examples]


@EACH
def test_the_page_names_every_verb_and_option(path: tuple[str, ...], command: click.Command) -> None:
    text = PAGE.read_text()
    assert f"slipway {' '.join(path)}" in text
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    lines = "\n".join(line for line in text.splitlines() if f"slipway {' '.join(path)}" in line)
    for option in options:
        names = [*option.opts, *option.secondary_opts]
        assert option.name == "as_json" or any(re.search(rf"{name}\b", lines) for name in names), f"{path}: {names}"


@pytest.mark.parametrize("file", documents.files(), ids=documents.name)
def test_every_command_in_the_documents_exists(file: str) -> None:
    for text in documents.commands(file):  # type: ignore[arg-type]
        for words in mentions(text) if text.startswith("slipway ") else []:
            accepted(words)


@EACH
def test_what_prints_a_table_prints_json_too(path: tuple[str, ...], command: click.Command) -> None:
    tables = {
        ("status",),
        ("history",),
        ("diff",),
        ("logs",),
        ("lock", "show"),
        ("promote",),
        ("rollback",),
        ("prune",),
        ("jobs", "list"),
        ("jobs", "show"),
        ("jobs", "cancel"),
        ("jobs", "dead", "list"),
        ("train",),
        ("wait",),
    }
    has = any(parameter.name == "as_json" for parameter in command.params)
    assert has is (path in tables)


def test_wrong_usage_ends_with_2() -> None:
    for words in (["promote"], ["diff", "one"], ["history", "-n", "0"], ["nonsense"]):
        assert CliRunner().invoke(main, words).exit_code == 2, words
