"""What a user of the Compose stack asks it, and what comes back."""

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from tests.machines import models
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

URL = "http://127.0.0.1:8080"
MLFLOW = "http://127.0.0.1:5000"
SECONDS = 240
LOOKS = 24
ENDED = ("succeeded", "failed", "cancelled")


def ask(path: str, body: bytes | None = None, method: str | None = None) -> tuple[int, Any]:
    """Status and JSON; status 0 when nobody answers."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{URL}{path}", body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        return error.code, None
    except (OSError, http.client.HTTPException):
        return 0, None


def balanced() -> set[str]:
    """The servers that the balancer asks in turn, each known by when its workers started."""
    answers = (ask("/version") for _ in range(LOOKS))
    return {json.dumps([worker["since"] for worker in found["workers"]]) for status, found in answers if status == 200}


def balanced_over(count: int) -> set[str]:
    return until(
        lambda: found if len(found := balanced()) == count else None, f"{count} servers in the balancer", SECONDS
    )


def serving() -> set[str]:
    """What deployments the balancer's servers answer with."""
    return {ask("/version")[1]["deployment"] for _ in range(LOOKS)}


def until_mlflow_answers() -> None:
    def look() -> bool:
        try:
            with urllib.request.urlopen(f"{MLFLOW}/health", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    until(look, "MLflow behind the balancer", SECONDS)


def predicted(example: "Trained") -> float:
    status, answer = ask("/invocations", models.body(example.rows))
    assert status == 200
    return float(answer["predictions"][0])


def submit(body: bytes) -> str | None:
    """The id of an accepted job; None while nobody accepts any."""
    status, answer = ask("/invocations?async=true", body)
    return str(answer["id"]) if status == 202 else None


def submit_soon(body: bytes) -> str:
    return until(lambda: submit(body), "a job is accepted", SECONDS)


def job(name: str | None) -> dict[str, Any]:
    """As it is when it has ended."""

    def look() -> dict[str, Any] | None:
        status, found = ask(f"/jobs/{name}")
        assert status == 200, f"job {name}: {status}"
        return found if found["state"] in ENDED else None

    assert name, "it was not accepted"
    return until(look, lambda: f"the end of job {name}: {ask(f'/jobs/{name}')}", SECONDS)


def right(name: str | None, deployed: models.Deployed) -> bool:
    """Whether the job of the first row succeeds with that deployment's answer."""
    found = job(name)
    assert (found["state"], found["deployment"]) == ("succeeded", deployed.id), found
    return bool(abs(found["result"]["predictions"][0] - deployed.value) < 1e-3)
