"""What a candidate must show before it serves: it is ready, it is what was asked for, and it answers as expected.

The server compares its answers too; the gate asks again from outside, through the socket, and takes no one's word.
"""

import http.client
import json
import math
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from slipway_node.fetch import Manifest
from slipway_node.node import ActivationError, Node

READY_SECONDS = 120.0
ANSWER_SECONDS = 60.0
SEEN_SECONDS = 10.0
POLL_SECONDS = 0.1


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None) -> tuple[int, Any, Any]:
    """Status, headers and the JSON of the answer (None when it is none). Raises OSError or HTTPException."""
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    try:
        return answer.status, answer.headers, json.loads(text)
    except ValueError:
        return answer.status, answer.headers, None


def read_text(connection: http.client.HTTPConnection, path: str) -> str:
    """The body of a page that is there. Raises OSError or HTTPException."""
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    finally:
        connection.close()
    if answer.status != 200:
        raise http.client.HTTPException(f"{path} answers {answer.status}")
    return text


def wait_ready(socket_path: Path, failed: Callable[[], str | None]) -> None:
    """Raises `ActivationError` start when the process ends or time is up, gate when a model does not load or answer."""
    deadline = time.monotonic() + READY_SECONDS
    reason = "it does not answer"
    while time.monotonic() < deadline:
        try:
            status, _, answer = ask(UnixConnection(socket_path), "GET", "/readyz")
        except (OSError, http.client.HTTPException):
            if why := failed():
                raise ActivationError("start", f"the candidate does not start: {why}") from None
        else:
            if status == 200:
                return
            said = answer.get("checks", []) if isinstance(answer, dict) else []
            checks = [check for check in said if check.get("check") != "draining"]
            if said and not checks:  # the node is being drained, and may be given a deployment all the same
                return
            for check in checks:
                if check.get("status") == "failed":
                    raise ActivationError("gate", f"{check.get('check')}: {check.get('message')}")
            reason = "; ".join(str(check.get("message")) for check in checks) or f"/readyz answers {status}"
        time.sleep(POLL_SECONDS)
    raise ActivationError("start", f"the candidate is not ready after {READY_SECONDS:g} s: {reason}")


def check_models(node: Node, socket_path: Path, manifest: Manifest) -> None:
    """Every model answers its example and its golden set as the deployment expects. Raises `ActivationError` gate."""
    for model in manifest.models:
        path = f"/models/{quote(model['name'], safe='')}/invocations"
        for key, what in (("expected", "example"), ("golden", "golden set")):
            if wrong := key in model and _wrong(node, UnixConnection(socket_path), path, model[key], manifest.id):
                raise ActivationError("gate", f"model {model['name']}/{model['version']} answers its {what} {wrong}")


def _wrong(node: Node, server: UnixConnection, path: str, expected: dict[str, Any], deployment: str) -> str | None:
    """What is wrong with the server's answer to a body whose answer is known."""
    try:
        status, headers, answer = ask(server, "POST", path, expected["input"])
    except (OSError, http.client.HTTPException) as error:
        return f"not at all: {error}"
    if status != 200:
        return f"with status {status}: {str(answer)[:500]}"
    if (of := headers.get(node.headers["deployment"])) != deployment:
        return f"as deployment {of}"
    different = difference(answer, expected["output"], expected.get("tolerance", 0.0))
    return f"wrongly: {different}" if different else None


def wait_seen(node: Node, deployment_id: str) -> None:
    """Nginx answers with that deployment: what was switched is what callers get. Raises `ActivationError` switch."""
    deadline = time.monotonic() + SEEN_SECONDS
    seen: object = None
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=SEEN_SECONDS)
            status, headers, _ = ask(connection, "GET", "/version")
            seen = f"status {status} of deployment {headers.get(node.headers['deployment'])}"
            if status == 200 and headers.get(node.headers["deployment"]) == deployment_id:
                return
        except (OSError, http.client.HTTPException) as error:
            seen = error
        time.sleep(POLL_SECONDS)
    raise ActivationError("switch", f"Nginx does not answer with deployment {deployment_id} but: {seen}")


def difference(actual: Any, expected: Any, tolerance: float, place: str = "answer") -> str | None:
    """The first place where two JSON values differ; floats may by `tolerance`, absolute or relative."""
    if isinstance(actual, dict) and isinstance(expected, dict) and actual.keys() == expected.keys():
        found = (difference(actual[key], expected[key], tolerance, f"{place}.{key}") for key in expected)
        return next(filter(None, found), None)
    if isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        pairs = enumerate(zip(actual, expected, strict=True))
        found = (difference(a, e, tolerance, f"{place}[{index}]") for index, (a, e) in pairs)
        return next(filter(None, found), None)
    if _floats(actual, expected):
        same = math.isclose(actual, expected, rel_tol=tolerance, abs_tol=tolerance)
    else:
        same = type(actual) is type(expected) and actual == expected
    return None if same else f"{place} is {str(actual)[:80]}, expected {str(expected)[:80]}"


def _floats(*values: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return numbers and any(isinstance(value, float) for value in values)
