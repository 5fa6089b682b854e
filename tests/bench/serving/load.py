"""The load: h2load in HTTP/1.1 mode, and what its log of requests says.

h2load's own summary has no percentiles, so they are computed from its log, which has a line for each answer.
Its summary is read only for what never got an answer.
"""

import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.errors import UserError
from ops.run import run
from tests.bench.serving.process import Address

PACKAGE = "nghttp2-client"
GRACE_SECONDS = 60.0
WINDOW_TIMES = 7.0
PERIOD_SECONDS = 0.05  # h2load opens a period's connections at once: a short period makes the arrivals even
REQUESTS = re.compile(
    r"^requests: (?P<total>\d+) total, (?P<started>\d+) started, (?P<done>\d+) done, (?P<succeeded>\d+) succeeded, "
    r"(?P<failed>\d+) failed, (?P<errored>\d+) errored, (?P<timeout>\d+) timeout$",
    re.MULTILINE,
)

Rows = list[tuple[int, int, int]]
"""h2load's log: microseconds since 1970 at the start, status (-1: none), microseconds to the end of the answer."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request to repeat. `body` stays one file for a whole run."""

    path: str
    body: Path
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Load:
    """What came back. `rate` is of 2xx answers per second; times in milliseconds are theirs; `errors` is all else."""

    rate: float
    p50_ms: float
    p99_ms: float
    answers: int
    errors: int
    refused: int
    refused_p99_ms: float


def program() -> str:
    found = shutil.which("h2load")
    if not found:
        raise UserError("there is no h2load on this machine", f"apt-get install {PACKAGE}")
    return found


def _argv(request: Request, address: Address, log: Path, shape: Sequence[str]) -> list[str]:
    headers = [word for name, value in request.headers.items() for word in ("-H", f"{name}: {value}")]
    host = f"127.0.0.1:{address.port}" if address.socket is None else "localhost"
    through = ["-B", f"unix:{address.socket}"] if address.socket else []
    files = ["-d", str(request.body), f"--log-file={log}"]
    return [program(), "--h1", "-t", "1", *shape, *headers, *files, *through, f"http://{host}{request.path}"]


def closed_argv(
    request: Request, address: Address, log: Path, *, connections: int, seconds: float, warm_up_seconds: float
) -> list[str]:
    """Each connection asks again as soon as it is answered."""
    times = ["-D", f"{round(seconds * 1000)}ms", "--warm-up-time", f"{round(warm_up_seconds * 1000)}ms"]
    return _argv(request, address, log, ["-c", str(connections), *times])


def open_argv(request: Request, address: Address, log: Path, *, per_second: int, seconds: float) -> list[str]:
    """So many new connections a second, with one request each, whatever has been answered by then."""
    total = str(round(per_second * seconds))
    rate = ["-r", str(max(1, round(per_second * PERIOD_SECONDS))), "--rate-period", f"{PERIOD_SECONDS * 1000:g}ms"]
    return _argv(request, address, log, ["-n", total, "-c", total, *rate])


def paced_argv(
    request: Request, address: Address, log: Path, *, connections: int, per_second: int, seconds: float
) -> list[str]:
    """So many requests a second over connections that are kept, each at its own even pace."""
    pace = ["--rps", f"{per_second / connections:g}", "-D", f"{round(seconds * 1000)}ms"]
    return _argv(request, address, log, ["-c", str(connections), *pace])


def window(seconds: float, connections: int, alone_ms: float) -> float:
    """Seconds of load in which even a server that does one request at a time answers each connection, up to a limit.

    `alone_ms` is a request's time on a single connection: a wide row takes some servers a third of a second, and a
    short look at 64 of them would see no answer at all.
    """
    needed = 0.0 if math.isnan(alone_ms) else connections * alone_ms / 1000
    return max(seconds, min(needed, WINDOW_TIMES * seconds))


def closed(
    request: Request, address: Address, folder: Path, *, connections: int, seconds: float, warm_up_seconds: float
) -> Load:
    log = folder / "load.log"
    argv = closed_argv(request, address, log, connections=connections, seconds=seconds, warm_up_seconds=warm_up_seconds)
    return _measured(argv, log, seconds)


def opened(request: Request, address: Address, folder: Path, *, per_second: int, seconds: float) -> Load:
    log = folder / "load.log"
    return _measured(open_argv(request, address, log, per_second=per_second, seconds=seconds), log, seconds)


def paced(
    request: Request, address: Address, folder: Path, *, connections: int, per_second: int, seconds: float
) -> Load:
    log = folder / "load.log"
    argv = paced_argv(request, address, log, connections=connections, per_second=per_second, seconds=seconds)
    return _measured(argv, log, seconds)


def counted(request: Request, address: Address, folder: Path, *, connections: int, total: int, seconds: float) -> Load:
    """So many requests, within `seconds`; `rate` means nothing."""
    log = folder / "load.log"
    return _measured(_argv(request, address, log, ["-c", str(connections), "-n", str(total)]), log, seconds)


def _measured(argv: list[str], log: Path, seconds: float) -> Load:
    log.unlink(missing_ok=True)
    done = run(argv, timeout_seconds=seconds + GRACE_SECONDS, hint="the server under test may hang: see its log")
    return load(parse(log.read_text()), unanswered(done.stdout), seconds)


def parse(text: str) -> Rows:
    rows = []
    for line in text.splitlines():
        start, status, took = line.split("\t")[:3]
        rows.append((int(start), int(status), int(took)))
    return rows


def unanswered(summary: str) -> int:
    """Requests that h2load's summary calls errored: reset, refused or cut off."""
    found = REQUESTS.search(summary)
    if not found:
        raise UserError("h2load ended without a summary", f"it said: {summary[-500:]!r}")
    return int(found["errored"])


def load(rows: Rows, errored: int, seconds: float) -> Load:
    good = sorted(took for _, status, took in rows if 200 <= status < 300)
    refused = sorted(took for _, status, took in rows if status == 503)
    return Load(
        rate=len(good) / seconds,
        p50_ms=percentile(good, 50) / 1000,
        p99_ms=percentile(good, 99) / 1000,
        answers=len(good),
        errors=sum(1 for _, status, _ in rows if not -1 < status < 300) + max(0, errored - _failed(rows)),
        refused=len(refused),
        refused_p99_ms=percentile(refused, 99) / 1000,
    )


def _failed(rows: Rows) -> int:
    """Errored requests that are in the log as well."""
    return sum(1 for _, status, _ in rows if status == -1)


def percentile(ordered: Sequence[int], share: float) -> float:
    """The smallest value that `share` percent do not exceed; not a number when there is none."""
    return float(ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]) if ordered else math.nan
