"""A bounded load of predictions that forgives nothing: kept-alive connections, and every reset is a failure.

Each client has one connection and one request in flight, as a balancer's own callers do, and never sends again by
itself what a closed connection swallowed, unless it is told to retry once. It speaks to loopback only.
"""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

LOOPBACK = {"localhost", "127.0.0.1"}
TIMEOUT_SECONDS = 90
TOLERANCE = 1e-5  # what a deployment's manifest says


@dataclass(frozen=True)
class Sample:
    """One request: when it was sent and answered, on the monotonic clock; `failure` is empty when all was well."""

    started: float
    ended: float
    deployment: str = ""
    failure: str = ""


class Load:
    """Runs from `with` to its end, or until `limit` requests are sent.

    `right` is the prediction that each deployment must give; an answer of any other deployment is a failure too.
    `retry_after_seconds` is how long a client waits before it sends a failed request again, once.
    """

    def __init__(
        self,
        url: str,
        body: bytes,
        right: Mapping[str, float],
        *,
        clients: int = 8,
        pause_seconds: float = 0.03,
        limit: int = 50_000,
        retry_after_seconds: float | None = None,
    ) -> None:
        split = urlsplit(url)
        assert split.hostname in LOOPBACK, f"{url} is not this machine's own"
        self._host, self._port = split.hostname, split.port or 80
        self._body, self._right = body, right
        self.clients = clients
        self._pause, self._left, self._retry = pause_seconds, limit, retry_after_seconds
        self.samples: list[Sample] = []
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_SECONDS)

    @property
    def failures(self) -> list[Sample]:
        with self._lock:
            return [sample for sample in self.samples if sample.failure]

    @property
    def deployments(self) -> set[str]:
        """Those that gave the right answers."""
        with self._lock:
            return {sample.deployment for sample in self.samples if not sample.failure}

    def __str__(self) -> str:
        kinds = Counter(sample.failure for sample in self.failures)
        return f"{len(self.samples)} requests, {len(self.failures)} failed {dict(kinds) if kinds else ''}".rstrip()

    def _work(self) -> None:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        while not self._ending.is_set() and self._may_send():
            sample = self._send(connection)
            if sample.failure:
                connection.close()
                if self._retry is not None:
                    self._ending.wait(self._retry)
                    sample = self._send(connection)
            with self._lock:
                self.samples.append(sample)
            self._ending.wait(self._pause)
        connection.close()

    def _may_send(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left >= 0

    def _send(self, connection: http.client.HTTPConnection) -> Sample:
        started = time.monotonic()
        try:
            connection.request("POST", "/invocations", self._body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return Sample(started, time.monotonic(), failure=f"{type(error).__name__}: {error}")
        deployment = answer.headers.get("X-Slipway-Deployment", "")
        return Sample(started, time.monotonic(), deployment, self._fault(answer.status, deployment, text))

    def _fault(self, status: int, deployment: str, text: bytes) -> str:
        if status != 200:
            return f"status {status}"
        if deployment not in self._right:
            return f"an answer of deployment {deployment or 'unknown'}"
        got = float(json.loads(text)["predictions"][0])
        return "" if abs(got - self._right[deployment]) <= TOLERANCE * abs(got) else "a wrong prediction"
