"""`make bench ARGS=--profile`: where the processors' time of one prediction goes, beside a bare echo's.

Time is what the kernel says each process has used, divided by the answers: so it says something on a busy machine too.
Inside one worker, py-spy samples who holds the interpreter; a sample belongs to the innermost of our own modules.
"""

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ops.steps import Step
from tests.bench.serving import load, slipway
from tests.bench.serving.load import Load, Request
from tests.bench.serving.measure import WARM_UP_SECONDS, Running, Setup, Subject, request_file, running
from tests.bench.serving.process import processes, tree

SAMPLED_CONNECTIONS = 32
SAMPLES_PER_SECOND = 400
PY_SPY = "py-spy==0.4.1"
TICKS = os.sysconf("SC_CLK_TCK")

# In the order of a request. Whatever else is ours is Flask's part and the rest of the server.
STAGES = {
    "HTTP in: llhttp's events, headers": ("loop/receiver.py",),
    "routing, ids, hand-over": ("loop/short.py", "loop/site.py", "loop/mailbox.py", "http/access.py"),
    "JSON in: decoding and checking": ("core/plain.py",),
    "line and batches": ("core/scoring.py", "core/batch.py", "core/lane.py", "core/pace.py"),
    "predict": ("core/estimators.py", "core/forest.py", "core/boosting.py", "core/linear.py", "core/matrix.py",
                "core/steps.py", "core/texts.py", "core/columns.py", "core/compiled.py", "core/scorer.py"),
    "JSON out": ("loop/rendered.py",),
    "HTTP out: the write": ("loop/connection.py", "loop/message.py"),
    "access log and meters": ("loop/journal.py", "core/meters.py"),
}  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """Microseconds of processor time for each answer."""

    rate: float
    worker: float
    nginx: float
    client: float


def measure(setup: Setup, about: Subject, step: Step) -> str:
    rows = {row.name: row for row in slipway.servers()}
    found: dict[str, dict[int, Cost]] = {}
    for name in (slipway.NATIVE, slipway.ECHO):
        with running(rows[name], setup, about.model, about.rows, step) as up:
            request = request_file(up, about.rows.part(0, about.case.rows))
            found[name] = {}
            for connections in setup.connections:
                step.say(f"{about.case.name}: {name}: {connections} connections")
                found[name][connections] = _cost(up, request, setup.seconds, connections)
    alone = replace(setup, workers=1, behind_nginx=False)
    with running(rows[slipway.NATIVE], alone, about.model, about.rows, step) as up:
        step.say(f"{about.case.name}: sampling a worker")
        samples = _sampled(up, request_file(up, about.rows.part(0, about.case.rows)), setup.seconds)
    return "\n".join([*_table(about.case.what, found), "", *_stages(samples)])


def _cost(up: Running, request: Request, seconds: float, connections: int) -> Cost:
    workers, front = up.process.children(), up.front.pids() if up.front else set()
    before = _used(workers), _used(front), _clients()
    done = _loaded(up, request, seconds, connections)
    after = _used(workers), _used(front), _clients()
    answers = max(1.0, done.answers * (seconds + WARM_UP_SECONDS) / seconds)  # the log lacks those of the warming up
    worker, nginx, client = (1e6 * (late - early) / answers for early, late in zip(before, after, strict=True))
    return Cost(done.rate, worker, nginx, client)


def _loaded(up: Running, request: Request, seconds: float, connections: int) -> Load:
    return load.closed(
        request, up.address, up.folder, connections=connections, seconds=seconds, warm_up_seconds=WARM_UP_SECONDS
    )


def _used(pids: Iterable[int]) -> float:
    """Seconds of processor time that these have used."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def _clients() -> float:
    """What our own children that have ended used: h2load."""
    times = os.times()
    return times.children_user + times.children_system


def _sampled(up: Running, request: Request, seconds: float) -> Counter[str]:
    """Samples of the interpreter of one worker under load, by stage; empty where there is no py-spy."""
    [worker] = up.process.children()
    words = ["record", "--gil", "--format", "raw", "--rate", str(SAMPLES_PER_SECOND), "--duration", f"{seconds:.0f}"]
    found = shutil.which("py-spy")
    program = [found] if found else ["uvx", "--from", PY_SPY, "py-spy"]
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "raw")
        argv = [*program, *words, "--output", str(raw), "--pid", str(worker)]
        spy = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _loaded(up, request, seconds + WARM_UP_SECONDS, SAMPLED_CONNECTIONS)
            spy.wait(seconds + load.GRACE_SECONDS)
        finally:
            for pid in tree(spy.pid, processes()) if spy.poll() is None else ():
                os.kill(pid, 15)
        return staged(raw.read_text().splitlines() if raw.exists() else [])


def staged(lines: Iterable[str]) -> Counter[str]:
    """py-spy's raw lines, `frame;frame;frame count`, outermost first."""
    found: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        ours = next((frame for frame in reversed(stack.split(";")) if "(app/" in frame), "")
        stage = next((name for name, files in STAGES.items() if any(f"app/{file}:" in ours for file in files)), "")
        found[stage or "everything else: uvloop, threads"] += int(count)
    return found


def _table(what: str, found: dict[str, dict[int, Cost]]) -> list[str]:
    lines = [f"{what}: microseconds of processor time for one answer"]
    lines.append(f"{'':24} {'connections':>11} {'req/s':>8} {'workers':>8} {'Nginx':>6} {'h2load':>7} {'all':>6}")
    for name, costs in found.items():
        for connections, cost in costs.items():
            whole = cost.worker + cost.nginx + cost.client
            numbers = f"{cost.rate:8.0f} {cost.worker:8.0f} {cost.nginx:6.0f} {cost.client:7.0f} {whole:6.0f}"
            lines.append(f"{name:24} {connections:11} {numbers}")
    return lines


def _stages(samples: Counter[str]) -> list[str]:
    total = samples.total()
    if not total:
        return ["no samples of a worker: py-spy is missing, or may not look (it needs root)"]
    shares = [f"{count / total:6.1%}  {stage}" for stage, count in samples.most_common()]
    return [f"who holds a worker's interpreter, {SAMPLED_CONNECTIONS} connections, {total} samples", *shares]
