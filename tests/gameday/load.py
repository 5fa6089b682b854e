"""A load that goes on through everything that a row does to the fleet, and what became of each of its requests.

wrk keeps its connections open, opens another only when one is closed under it, and never sends a request twice: what a
reset swallowed has failed. Its rate is bounded by a pause after each answer, its time by `SECONDS`; it ends with us.
"""

import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from types import TracebackType
from urllib.parse import urlsplit

from ops.errors import UserError
from ops.follow import bound

LOOPBACK = {"localhost", "127.0.0.1"}
SECONDS = 900
CONNECTIONS = 6
PAUSE_MILLISECONDS = 40
TOLERANCE = 1e-5  # what a deployment's manifest says
SCRIPT = Path(__file__).with_name("load.lua")
LOST = 0  # the status of a request that was never answered


@dataclass(frozen=True)
class Sample:
    """One request: sent at `started` (seconds since 1970), and its answer `seconds` later."""

    started: float
    seconds: float
    status: int
    deployment: str
    prediction: str
    request_id: str

    @property
    def failed(self) -> bool:
        return self.status != 200

    @classmethod
    def parse(cls, line: str) -> "Sample":
        started, seconds, status, deployment, prediction, request_id = line.rstrip("\n").split("\t")
        return cls(float(started), float(seconds), int(status), deployment, prediction, request_id)


class Load:
    """Runs from `with` to its end. `samples` may be read meanwhile."""

    def __init__(self, url: str, body: bytes, *, path: str = "/invocations", connections: int = CONNECTIONS) -> None:
        assert urlsplit(url).hostname in LOOPBACK, f"{url} is not this machine's own"
        self._url, self._body, self._connections = f"{url.rstrip('/')}{path}", body, connections
        self._folder = Path(tempfile.mkdtemp(prefix="slipway-load-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Load":
        if not shutil.which("wrk"):
            raise UserError("there is no wrk on this machine", "apt-get install wrk")
        (self._folder / "body").write_bytes(self._body)
        count = str(self._connections)
        argv = ["wrk", "-t", count, "-c", count, "-d", f"{SECONDS}s", "--timeout", "90s", "-s", str(SCRIPT), self._url]
        argv += ["--", str(self._folder / "body"), str(self._folder), str(PAUSE_MILLISECONDS)]
        with (self._folder / "output").open("wb") as output:
            self._process = subprocess.Popen(bound(argv, signal.SIGKILL), stdout=output, stderr=output)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def samples(self) -> list[Sample]:
        """What is known so far, in the order of sending. The last line of a file may be half written."""
        lines = [line for file in self._folder.glob("*.tsv") for line in file.read_text().splitlines(keepends=True)]
        found = [Sample.parse(line) for line in lines if line.endswith("\n")]
        return sorted(found, key=lambda sample: sample.started)


def wrong(samples: Sequence[Sample], right: Mapping[str, float]) -> list[Sample]:
    """Answers that are not what the offline model of their deployment gives; `right` has that by deployment."""

    def fits(sample: Sample) -> bool:
        try:
            got = float(json.loads(sample.prediction))
        except (ValueError, TypeError):
            return False
        value = right.get(sample.deployment)
        return value is not None and abs(got - value) <= TOLERANCE * max(abs(value), 1.0)

    return [sample for sample in samples if not sample.failed and not fits(sample)]


def p99(samples: Sequence[Sample]) -> float:
    """Seconds. Of fewer than 100 samples it is the slowest."""
    taken = [sample.seconds for sample in samples if not sample.failed]
    return quantiles(taken, n=100)[98] if len(taken) >= 100 else max(taken, default=0.0)


def within(samples: Sequence[Sample], start: float, end: float) -> list[Sample]:
    return [sample for sample in samples if start <= sample.started < end]


def failures(samples: Sequence[Sample]) -> Counter[str]:
    """How many requests failed, by how."""
    return Counter(
        "no answer" if sample.status == LOST else f"status {sample.status}" for sample in samples if sample.failed
    )


def await_answers(load: Load, count: int, seconds: float = 30) -> None:
    """Returns when so many more requests are answered. Raises `UserError` when the load has ended."""
    wanted, deadline = len(load.samples) + count, time.monotonic() + seconds
    while len(load.samples) < wanted:
        if not load.alive or time.monotonic() > deadline:
            raise UserError("the load does not run", "its output is in the folder of its logs")
        time.sleep(0.1)
