"""What is asked of Airflow, by its REST API on this node: whether all of it is well, and a run of a DAG.

The API's paths are those of https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract import PATHS, PORTS
from ops.errors import UserError

TIMEOUT_SECONDS = 30
PARTS = ("metadatabase", "scheduler", "dag_processor")
WELL = "healthy"


class NotAcceptedError(UserError):
    """Airflow does not answer, or does not take what it is asked for now; it may later."""


@dataclass
class Airflow:
    """`users` is the file with the passwords that Airflow itself reads."""

    url: str = f"http://127.0.0.1:{PORTS.airflow}"
    users: Path = Path(PATHS.airflow_users)
    _token: str = field(default="", repr=False)

    def unwell(self) -> str:
        """Which of its parts is not well, in words. Raises `NotAcceptedError` when it does not answer."""
        _, found = self._call("GET", "/api/v2/monitor/health")
        states = {part: (found.get(part) or {}).get("status") or "silent" for part in PARTS}
        return ", ".join(f"{part} {state}" for part, state in states.items() if state != WELL)

    def begin(self, dag: str, run: str, note: str) -> bool:
        """A run of this id; whether it is new. Raises `NotAcceptedError`."""
        path = f"/api/v2/dags/{urllib.parse.quote(dag, safe='')}/dagRuns"
        status, answer = self._asked("POST", path, {"dag_run_id": run, "logical_date": None, "note": note})
        if status == 409:
            return False
        if status >= 300:
            raise NotAcceptedError(f"Airflow does not take run {run} of {dag}: {status} {_detail(answer)}")
        return True

    def _asked(self, method: str, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        """With the login; one that has run out is renewed."""
        if self._token:
            status, answer = self._call(method, path, body, self._token)
            if status != 401:
                return status, answer
        ((username, password),) = json.loads(self.users.read_text()).items()
        status, answer = self._call("POST", "/auth/token", {"username": username, "password": password})
        if status >= 300:
            raise NotAcceptedError(f"Airflow refuses the login of {username}: {status} {_detail(answer)}")
        self._token = str(answer["access_token"])
        return self._call(method, path, body, self._token)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = "") -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)  # noqa: S310  (loopback)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except (OSError, ValueError) as error:
            raise NotAcceptedError(f"Airflow does not answer: {error}") from None


def _detail(answer: Any) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)
    return " ".join(text.split())[:300]
