"""docs/protocols.md is true: its commands are answered, its limits are the code's, its paths are the server's."""

import re
import shlex
from typing import Any

from flask.testing import FlaskClient

from app.core.body import STRUCTURES_AT_MOST
from app.core.inputs import ROWS_AT_MOST
from contract import HTTP
from tests.unit import documents

PAGE = documents.ROOT / "docs" / "protocols.md"


def ask(client: FlaskClient, command: list[str]) -> Any:
    """What curl would send: the URL, headers and data of a line."""
    _, _, url, *rest = command
    options = list(zip(rest[::2], rest[1::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in options if option == "-H")
    data = next((value for option, value in options if option == "-d"), None)
    if data is None:
        return client.get(url.removeprefix("$url"), headers=headers)
    headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    return client.post(url.removeprefix("$url"), data=data.encode(), headers=headers)


def test_every_command_is_answered(zoo_client: FlaskClient) -> None:
    words = shlex.split("\n".join(documents.blocks(PAGE)).replace("\\\n", " "))
    starts = [number for number, word in enumerate(words) if word == "curl"]
    commands = [words[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
    assert len(commands) == 8
    for command in commands:
        answer = ask(zoo_client, command)
        assert answer.status_code == 200, (command, answer.text)
        if "predictions" in answer.text and "infer" not in command[2]:
            assert answer.json.get("predictions", [0])[0] == 0, "the first row is a setosa"


def test_the_limits_are_the_codes() -> None:
    text = PAGE.read_text()
    assert f"{HTTP.body_bytes // 2**20} MiB, {ROWS_AT_MOST:,} rows" in text
    assert STRUCTURES_AT_MOST == 1_000_000
    assert "a million lists and objects" in text


def test_every_path_is_a_route(zoo_client: FlaskClient) -> None:
    rules = {re.sub(r"<(\w+)>", "<>", str(rule)) for rule in zoo_client.application.url_map.iter_rules()}
    paths = {path for path in documents.inline(PAGE) if path.startswith("/")}
    assert {re.sub(r"<(\w+)>", "<>", path) for path in paths} <= rules
