"""Ten times what Slipway can do, offered open-loop: what it accepts stays quick, the rest is told so at once.

The model takes 20 ms for each row, so capacity is known: workers / 0.02 rows a second. h2load opens connections at a
fixed rate with one request each, whatever has been answered; beside it one plain client reads refusals' headers, which
h2load does not report.
"""

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ops.steps import Step
from tests.bench.serving import load
from tests.bench.serving.load import Load
from tests.bench.serving.measure import Running, Setup, request_file, running
from tests.bench.serving.models import SLOW_ROW_SECONDS
from tests.bench.serving.process import Address, ask
from tests.bench.serving.protocols import table
from tests.bench.serving.servers import Server
from tests.bench.serving.targets import Goal

TIMES = 10
PHASE_SECONDS = 8.0
LOOK_SECONDS = 0.1
MEMORY_GROWTH = 1.1


@dataclass(frozen=True, kw_only=True)
class Overload:
    capacity_per_second: int
    offered_per_second: int
    at_capacity: Load
    over: Load
    refusals_read: int
    retry_after: int
    memory_before_mib: float
    memory_after_mib: float
    workers_lost: int

    @property
    def refused_share(self) -> float:
        """Of all that was answered or lost."""
        return self.over.refused / max(1, self.over.answers + self.over.errors)


@dataclass
class Looker(threading.Thread):
    """Reads the headers of refusals, ten times a second."""

    address: Address
    path: str
    body: bytes
    headers: Mapping[str, str]
    refusals: int = 0
    retry_after: int = 0
    ending: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        while not self.ending.wait(LOOK_SECONDS):
            try:
                answer = ask(self.address, "POST", self.path, self.body, self.headers)
            except (OSError, http.client.HTTPException):  # h2load counts such; this one reads headers
                continue
            if answer.status == 503:
                self.refusals += 1
                self.retry_after += any(name.lower() == "retry-after" for name in answer.headers)


@contextmanager
def looking(up: Running, body: bytes) -> Iterator[Looker]:
    protocol = up.server.protocol
    looker = Looker(up.address, protocol.path, body, protocol.headers)
    looker.start()
    try:
        yield looker
    finally:
        looker.ending.set()
        looker.join()


def measure(server: Server, setup: Setup, step: Step) -> Overload:
    model = setup.models / "slow"
    rows = table(model.with_suffix(".json").read_text())
    capacity = round(setup.workers / SLOW_ROW_SECONDS)
    with running(server, setup, model, rows, step) as up:
        request = request_file(up, rows.part(0, 1))
        workers = up.process.children()
        step.say("overload: at capacity")
        at_capacity = load.opened(request, up.address, up.folder, per_second=capacity, seconds=PHASE_SECONDS)
        time.sleep(LOOK_SECONDS)
        before = up.process.pss_mib()
        step.say(f"overload: {TIMES} times capacity")
        with looking(up, request.body.read_bytes()) as looker:
            over = load.opened(request, up.address, up.folder, per_second=TIMES * capacity, seconds=PHASE_SECONDS)
        return Overload(
            capacity_per_second=capacity,
            offered_per_second=TIMES * capacity,
            at_capacity=at_capacity,
            over=over,
            refusals_read=looker.refusals,
            retry_after=looker.retry_after,
            memory_before_mib=before,
            memory_after_mib=up.process.pss_mib(),
            workers_lost=len(workers - up.process.children()),
        )


def goals(found: Overload) -> list[Goal]:
    later = found.over.p99_ms / found.at_capacity.p99_ms
    told = found.retry_after / found.refusals_read if found.refusals_read else 0.0
    growth = found.memory_after_mib / found.memory_before_mib
    lost = found.over.errors - found.over.refused
    return [
        Goal(what="overload: p99 of the accepted against that at capacity", figure=later, target=2.0, at_most=True),
        Goal(what="overload: share of refusals with Retry-After", figure=told, target=1.0, unit=""),
        Goal(what="overload: errors that are no 503", figure=lost, target=0, unit="", at_most=True),
        Goal(what="overload: memory after against before", figure=growth, target=MEMORY_GROWTH, at_most=True),
        Goal(what="overload: workers lost", figure=found.workers_lost, target=0, unit="", at_most=True),
    ]
