"""What the watcher asks of MLflow's registry, and tells it: by plain REST.

MLflow's own client takes a hundred megabytes and two seconds to import, for a process that asks one question all day.
"""

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.errors import UserError

API = "/api/2.0/mlflow"
PAGE = 200
TIMEOUT_SECONDS = 30
MISSING = "RESOURCE_DOES_NOT_EXIST"


class UnreachableError(UserError):
    """MLflow does not answer now, and may later."""


class MissingError(UserError):
    """MLflow answers, and does not know what it was asked for."""


@dataclass(frozen=True)
class Registry:
    url: str
    username: str
    password: str
    timeout_seconds: float = field(default=TIMEOUT_SECONDS, kw_only=True)

    @classmethod
    def from_environment(cls, timeout_seconds: float = TIMEOUT_SECONDS) -> "Registry":
        """As MLflow's own client finds it. Raises `UnreachableError`."""
        url = os.environ.get("MLFLOW_TRACKING_URI", "")
        if not url.startswith("http"):
            raise UnreachableError("MLFLOW_TRACKING_URI names no server", "`. .slipway/env` sets it for the local one")
        username, password = (os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD"))
        return cls(url.rstrip("/"), username, password, timeout_seconds=timeout_seconds)

    def aliases(self) -> dict[str, dict[str, str]]:
        """By the name of a model: the versions that its aliases name. Raises `UnreachableError`."""
        return {
            model["name"]: {entry["alias"]: str(entry["version"]) for entry in model.get("aliases", [])}
            for model in self._models()
        }

    def carrying(self, alias: str, names: Sequence[str] = ()) -> dict[str, str]:
        """The version that carries the alias, by the name of its model; of these models only, when some are named.

        Raises `UnreachableError`.
        """
        found = {
            model["name"]: str(entry["version"])
            for model in self._models()
            for entry in model.get("aliases", [])
            if entry["alias"] == alias
        }
        return {name: found[name] for name in sorted(found) if not names or name in names}

    def tag(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Sets tags of a model version. Raises `UnreachableError`, or `MissingError` for one that was deleted."""
        for key, value in tags.items():
            self._call("POST", "model-versions/set-tag", {"name": name, "version": version, "key": key, "value": value})

    def _models(self) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            query = {"max_results": str(PAGE)} | ({"page_token": token} if token else {})
            answer = self._call("GET", f"registered-models/search?{urllib.parse.urlencode(query)}")
            yield from answer.get("registered_models", [])
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _call(self, method: str, path: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
        login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310 - the node's own MLflow
            f"{self.url}{API}/{path}",
            json.dumps(body).encode() if body is not None else None,
            {"Authorization": f"Basic {login}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_seconds) as response:  # noqa: S310
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")[:300]
            if MISSING in text:
                raise MissingError(f"MLflow: {text}") from None
            raise UnreachableError(
                f"MLflow answers {path.partition('?')[0]} with status {error.code}: {text}"
            ) from None
        except (OSError, ValueError) as error:
            raise UnreachableError(f"MLflow does not answer: {error}") from None
