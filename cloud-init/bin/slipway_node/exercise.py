"""Replays the examples that a deployment came with, through Nginx as a caller: traffic for a candidate that has little.

A hang or a failure of the candidate is then answered by the version before it, which its header tells.
"""

import http.client
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from slipway_node.fetch import Manifest
from slipway_node.gate import ask, difference
from slipway_node.node import Node

LIMIT_SECONDS = 60.0
"""No replay goes on for longer, however slow the answers are; a request under way is waited for."""


def exercise(
    node: Node, manifest: Manifest, count: int, connect: Callable[[], http.client.HTTPConnection] | None = None
) -> dict[str, Any]:
    """`count` requests, the models and their examples in turn. `wrong` answered as this deployment, otherwise than
    expected; `rescued` were answered by another one; `failed` not with 200. `first` says what was wrong first.
    `connect`: elsewhere than through Nginx."""
    connect = connect or (lambda: http.client.HTTPConnection("127.0.0.1", node.port, timeout=LIMIT_SECONDS))
    found: dict[str, Any] = {"requests": 0, "failed": 0, "rescued": 0, "wrong": 0, "first": None}
    ending = time.monotonic() + LIMIT_SECONDS
    for path, expected in itertools.islice(_examples(manifest), count):
        if time.monotonic() > ending:
            break
        kind, said = _outcome(node, connect(), manifest.id, path, expected)
        found["requests"] += 1
        if kind:
            found[kind] += 1
            found["first"] = found["first"] or said
    return found


def _examples(manifest: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    """Endless, unless the deployment has none."""
    examples = [
        (f"/models/{quote(model['name'], safe='')}/invocations", model[key])
        for model in manifest.models
        for key in ("expected", "golden")
        if key in model
    ]
    return itertools.cycle(examples)


def _outcome(
    node: Node, connection: http.client.HTTPConnection, deployment: str, path: str, expected: dict[str, Any]
) -> tuple[str | None, str]:
    try:
        status, headers, answer = ask(connection, "POST", path, expected["input"])
    except (OSError, http.client.HTTPException) as error:
        return "failed", f"{path}: {error}"
    if status != 200:
        return "failed", f"{path}: status {status}: {str(answer)[:200]}"
    if headers.get(node.headers["deployment"]) != deployment:
        return "rescued", f"{path}: answered by deployment {headers.get(node.headers['deployment'])}"
    different = difference(answer, expected["output"], expected.get("tolerance", 0.0))
    return ("wrong", f"{path}: {different}") if different else (None, "")
