"""The public HTTP API of jobs, as any client may use it: what is busy or away for a while is waited for."""

import time
from collections.abc import Callable
from urllib.parse import quote, urljoin

import requests

from ops.errors import UserError

PATIENCE_SECONDS = 300.0
ANSWER_SECONDS = 60.0
PAUSE_SECONDS = 1.0
BUSY = (429, 502, 503, 504)


class ChunkFailedError(Exception):
    """The model refuses the chunk's rows, or has failed with them too often."""


class GoneError(Exception):
    """The job is not there any more."""


class Client:
    def __init__(self, url: str, model: str | None, say: Callable[[str], None]) -> None:
        self._url, self._say = url.rstrip("/") + "/", say
        self._path = f"predict/{quote(model, safe='')}" if model else "predict"
        self._session = requests.Session()

    def submit(self, body: bytes, key: str) -> str:
        """The job's id. Raises `UserError`."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        answer = self._ask("POST", f"{self._path}?async=true", body, headers)
        if answer.status_code == 202:
            return str(answer.json()["id"])
        hints = {
            400: "asynchronous predictions must be on: the setting slipway:jobs",
            413: "make the chunks smaller with --chunk",
            404: "name a model that is served: `slipway status` shows them",
        }
        raise UserError(f"{self._url} refuses a chunk: {_message(answer)}", hints.get(answer.status_code, ""))

    def state(self, job: str) -> str:
        """Raises `GoneError` when there is no such job."""
        answer = self._ask("GET", f"jobs/{job}")
        if answer.status_code in (404, 410):
            raise GoneError
        return str(self._good(answer).json()["state"])

    def result(self, job: str) -> bytes:
        """Raises `ChunkFailedError` for one that failed or was cancelled."""
        answer = self._ask("GET", f"jobs/{job}/result")
        if answer.status_code != 200:
            raise ChunkFailedError(_message(answer))
        return answer.content

    def _good(self, answer: requests.Response) -> requests.Response:
        if answer.status_code != 200:
            raise UserError(f"{answer.url} answers {answer.status_code}: {_message(answer)}")
        return answer

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> requests.Response:
        """Once somebody answers it. Raises `UserError` when for minutes nobody does."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._session.request(
                    method, urljoin(self._url, path), data=body, headers=headers, timeout=ANSWER_SECONDS
                )
            except requests.RequestException as error:
                reason, pause = f"{type(error).__name__}", PAUSE_SECONDS
            else:
                if answer.status_code not in BUSY:
                    return answer
                reason, pause = _message(answer), _pause(answer)
            if time.monotonic() + pause > deadline:
                hint = "run the same command again: it goes on from here"
                raise UserError(f"{self._url} takes no requests: {reason}", hint)
            self._say(f"waiting: {reason}")
            time.sleep(pause)


def _pause(answer: requests.Response) -> float:
    try:
        return max(PAUSE_SECONDS, min(30.0, float(answer.headers.get("Retry-After", ""))))
    except ValueError:
        return PAUSE_SECONDS


def _message(answer: requests.Response) -> str:
    try:
        error = answer.json()["error"]
        text = error["message"] if isinstance(error, dict) else error
    except (ValueError, KeyError, TypeError):
        text = answer.text
    return f"{answer.status_code} {' '.join(str(text).split())[:300]}"
