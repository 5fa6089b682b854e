"""One server with one model: started, shown to answer as the offline model, loaded, weighed, and ended."""

import http.client
import json
import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.errors import UserError
from ops.steps import Step
from tests.bench.serving import environments, load, nginx
from tests.bench.serving.load import Load, Request
from tests.bench.serving.models import Case
from tests.bench.serving.process import Address, Process, ask, free_port
from tests.bench.serving.protocols import Table, table
from tests.bench.serving.servers import Place, Server

CONNECTIONS = (1, 16, 64)
SINGLES_CHECKED = 8
AT_ONCE = 16
TOLERANCE = 1e-5
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What all cells of a run share."""

    models: Path
    workers: int
    seconds: float
    connections: Sequence[int]
    behind_nginx: bool
    sessions: bool = False


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model and its rows, with the offline model's answers to them."""

    case: Case
    model: Path
    rows: Table
    answers: Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class Running:
    server: Server
    process: Process
    address: Address
    ready_seconds: float
    folder: Path
    front: Process | None = None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one start of one server with one model gave; loads by connections."""

    loads: dict[int, Load]
    ready_seconds: float
    pss_mib: float
    workers: int
    note: str = ""


def subject(setup: Setup, case: Case) -> Subject:
    """Asks the model itself, in this process, as `mlflow.pyfunc` loads it."""
    import mlflow.pyfunc
    import pandas

    model = setup.models / case.model
    rows = table(model.with_suffix(".json").read_text())
    frame = pandas.DataFrame(list(rows.rows), columns=list(rows.columns))
    answers = mlflow.pyfunc.load_model(str(model)).predict(frame)
    return Subject(case=case, model=model, rows=rows, answers=list(answers.tolist()))


@contextmanager
def running(server: Server, setup: Setup, model: Path, rows: Table, step: Step) -> Iterator[Running]:
    """A started server and its Nginx, both ended afterwards. The folder of one that failed is kept, to look into."""
    python = environments.ensure(server.lock, step) if server.lock else Path()
    folder = Path(tempfile.mkdtemp(prefix="slipway-bench-"))
    try:
        with _started(server, setup, model, rows, python, folder) as up:
            yield up
    except UserError:
        raise
    except BaseException:
        shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)


@contextmanager
def _started(server: Server, setup: Setup, model: Path, rows: Table, python: Path, folder: Path) -> Iterator[Running]:
    workers = server.workers or setup.workers
    place = Place(python=python, model=model, example=rows, folder=folder, port=free_port(), workers=workers)
    start = server.start(place)
    process = Process(start.argv, start.env, start.cwd, folder / "server.log", session=setup.sessions)
    front: Process | None = None
    try:
        address = server.address(place)
        ready_seconds = process.wait_ready(address, server.ready)
        if setup.behind_nginx:
            front, address = nginx.start(folder, address, server.ready, session=setup.sessions)
        yield Running(
            server=server, process=process, address=address, ready_seconds=ready_seconds, folder=folder, front=front
        )
    finally:
        if front:
            front.stop()
        process.stop()


def cell(server: Server, setup: Setup, about: Subject, step: Step) -> Cell:
    with running(server, setup, about.model, about.rows, step) as up:
        step.say(f"{about.case.name}: {server.name}: checking its answers")
        if not server.echo:
            verify(up, about)
        request = request_file(up, about.rows.part(0, about.case.rows))
        loads: dict[int, Load] = {}
        for connections in setup.connections:
            step.say(f"{about.case.name}: {server.name}: {connections} connections")
            loads[connections] = load.closed(
                request,
                up.address,
                up.folder,
                connections=connections,
                seconds=load.window(setup.seconds, connections, loads[1].p50_ms if 1 in loads else math.nan),
                warm_up_seconds=WARM_UP_SECONDS,
            )
        return Cell(
            loads=loads,
            ready_seconds=up.ready_seconds,
            pss_mib=up.process.pss_mib(),
            workers=server.workers or setup.workers,
            note=server.note(up.folder) if server.note else "",
        )


def request_file(up: Running, rows: Table) -> Request:
    protocol = up.server.protocol
    body = up.folder / "body.json"
    body.write_bytes(protocol.encoded(rows))
    return Request(path=protocol.path, body=body, headers=protocol.headers)


def verify(up: Running, about: Subject) -> None:
    """Raises when an answer is not the offline model's: the load's own request, rows alone, and rows at once."""
    count = about.case.rows
    parts = [(0, count)] + [(at, 1) for at in range(SINGLES_CHECKED)]
    for first, rows in parts:
        _check(up, about, first, rows)
    with ThreadPoolExecutor(AT_ONCE) as pool:  # so that those that batch are checked on a batch
        list(pool.map(lambda at: _check(up, about, at, 1), range(AT_ONCE)))


def _check(up: Running, about: Subject, first: int, rows: int) -> None:
    protocol = up.server.protocol
    body = protocol.encoded(about.rows.part(first, rows))
    try:
        answer = ask(up.address, "POST", protocol.path, body, protocol.headers)
    except (OSError, http.client.HTTPException) as error:
        raise UserError(
            f"{up.server.name} does not answer: {type(error).__name__}: {error}", f"see {up.folder}"
        ) from None
    if answer.status != 200:
        raise UserError(f"{up.server.name} answers {answer.status}: {answer.body[:300]!r}", f"see {up.folder}")
    try:
        got = protocol.predictions(json.loads(answer.body))
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{up.server.name} answers {answer.body[:300]!r}", f"see {up.folder}") from None
    if not equal(got, about.answers[first : first + rows]):
        wanted = about.answers[first : first + rows]
        raise UserError(
            f"{up.server.name} answers {got[:3]} for {about.case.name}, the model {wanted[:3]}", f"see {up.folder}"
        )


def equal(got: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Numbers within a relative 1e-5, which is what a compiled model may differ by; all else exactly."""
    flat = [each[0] if isinstance(each, list) and len(each) == 1 else each for each in got]
    return len(flat) == len(wanted) and all(_same(a, b) for a, b in zip(flat, wanted, strict=True))


def _same(got: Any, wanted: Any) -> bool:
    numbers = int | float
    if isinstance(got, numbers) and isinstance(wanted, numbers):
        return abs(got - wanted) <= TOLERANCE * max(1.0, abs(wanted))
    return bool(got == wanted)
