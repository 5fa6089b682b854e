"""Who may read what: session tokens of IMDSv2, and role credentials kept until shortly before they expire.

Both live in memory only. A token is worth something to the instance that asked for it and to no other.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

MAX_TTL_SECONDS = 21600
RENEW_SECONDS = 15 * 60


class Tokens:
    """IMDSv2 session tokens, by instance."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._issued: dict[str, tuple[str, float]] = {}

    def issue(self, instance_id: str, ttl_seconds: int) -> str:
        token = secrets.token_urlsafe(42)
        now = self._clock()
        with self._lock:
            self._issued = {key: entry for key, entry in self._issued.items() if entry[1] > now}
            self._issued[token] = (instance_id, now + ttl_seconds)
        return token

    def valid(self, token: str, instance_id: str) -> bool:
        with self._lock:
            owner, until = self._issued.get(token, ("", 0.0))
        return owner == instance_id and until > self._clock()


class Credentials:
    """The current credentials of each instance's role: `fetch(role_arn, instance_id)` makes new ones."""

    def __init__(self, fetch: Callable[[str, str], Mapping[str, str]]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._current: dict[tuple[str, str], Mapping[str, str]] = {}

    def get(self, role_arn: str, instance_id: str) -> Mapping[str, str]:
        key = (role_arn, instance_id)
        with self._lock:
            if key not in self._current or seconds_left(self._current[key]) < RENEW_SECONDS:
                self._current[key] = self._fetch(role_arn, instance_id)
            return self._current[key]


def seconds_left(credentials: Mapping[str, str]) -> float:
    """Until `Expiration`, an ISO 8601 time in UTC."""
    expires = datetime.fromisoformat(credentials["Expiration"].replace("Z", "+00:00"))
    return (expires - datetime.now(UTC)).total_seconds()
