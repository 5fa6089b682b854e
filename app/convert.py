"""Compiles one model and judges the result: `python3 -m app.convert FOLDER [GOLDEN]`.

Whoever makes a deployment runs this from the release that will serve it, once; no node does. A process of its own,
because a converter may crash, hang, or take all memory. It prints a decision as one line of JSON, with the compiled
model in it (`model`, base64) if that is to be used, because it has no right to write anything.
"""

import base64
import contextlib
import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import settings
from app.core import decision as decisions
from app.core.decision import Decision, Recipe

if TYPE_CHECKING:
    import pandas

    from app.core.conversion import Candidate
    from app.core.scorer import Native, Scorer

MEMORY_SHARE = 0.4  # of the machine's, for data of this process
FASTER = 2.0  # at least, on average over one row and many: less is not worth other last digits, nor safe from noise
BATCHES = (1, 64)
TIMED = 30
UNTRIED = "nothing converted it"
PACKAGES = ("mlflow-skinny", "onnx", "onnxruntime", "scikit-learn", "skl2onnx")


def judge(folder: Path, bodies: Sequence[Any]) -> tuple[Decision, bytes | None]:
    """The decision, and the compiled model if that is to serve. `bodies` of /invocations that the model answers."""
    from app.core import conversion, scorer, trial
    from app.core.model import load_folder

    started = time.monotonic()
    native = scorer.native(load_folder(folder))
    try:
        conversion.refuse(native)
        pool = examples(native, bodies)
    except conversion.NotConvertibleError as error:
        return decisions.native(str(error)), None
    frame = cache(lambda: trial.rows(native, pool))
    best, model = decisions.native(UNTRIED), None
    for candidate in conversion.candidates(native, pool):
        found = decisions.native(candidate) if isinstance(candidate, str) else _try(candidate, native, pool, frame)
        best = _better(best, found)
        if found.kind == "compiled":
            assert not isinstance(candidate, str)
            model = candidate.model
            break
    return replace(best, seconds=round(time.monotonic() - started, 1), versions=_versions()), model


def examples(native: "Native", bodies: Sequence[Any]) -> "pandas.DataFrame":
    """The input example and the golden set as enforced rows."""
    import pandas

    from app.core.conversion import NotConvertibleError
    from app.core.model import parse

    if not bodies:
        raise NotConvertibleError("it has no input example to try it on")
    frames = []
    for body in bodies:
        data, _ = native.enforce(parse(body, native.pyfunc).data)
        frames.append(data)
    pool = pandas.concat(frames, ignore_index=True)
    if pool.isna().any(axis=None):
        pool = pool.dropna(ignore_index=True)
    if pool.empty:
        raise NotConvertibleError("its examples have no row without nulls to try it on")
    return pool


def _better(best: Decision, found: Decision) -> Decision:
    """The way that came further; of two that came as far, the first, which says most about the model."""

    def far(decision: Decision) -> tuple[bool, bool, bool]:
        return decision.kind == "compiled", bool(decision.speed), bool(decision.rows_checked)

    return found if best.reason == UNTRIED or far(found) > far(best) else best


def _try(
    candidate: "Candidate", native: "Native", pool: "pandas.DataFrame", frame: Callable[[], "pandas.DataFrame"]
) -> Decision:
    from app.core.compiled import Compiled
    from app.expect import TOLERANCE

    recipe = Recipe(prefix=candidate.prefix, feed=candidate.feed)
    hopeful = Decision(kind="compiled", reason="", recipe=recipe, tolerance=TOLERANCE)
    try:
        compiled = Compiled(native, candidate.model, hopeful)
        found = _compare(native, compiled, pool)
        if found.kind == "native":
            return found
        speed = {str(rows): _speed(native, compiled, pool, rows) for rows in BATCHES}
        timed = replace(found, speed={rows: round(ratio, 2) for rows, ratio in speed.items()})
        if math.prod(speed.values()) < FASTER ** len(BATCHES):
            return replace(timed, kind="native", reason=f"compiled, it is not {FASTER:g} times as fast")
        found = _compare(native, compiled, frame())  # last, because it takes longest
    except Exception as error:  # ONNX Runtime's own
        return decisions.native(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
    return replace(found, speed=timed.speed, recipe=recipe if found.kind == "compiled" else None)


def _compare(native: "Native", compiled: "Scorer", frame: "pandas.DataFrame") -> Decision:
    from app.core import trial
    from app.expect import TOLERANCE

    largest, classes = trial.difference(native, compiled, frame)
    facts: dict[str, Any] = {"tolerance": TOLERANCE, "rows_checked": len(frame)}
    if not math.isfinite(largest):  # which JSON does not have
        return decisions.native("compiled, its answers have another shape, or are no numbers", **facts)
    facts["largest_difference"] = largest
    if classes:
        return decisions.native(f"compiled, it gave another class for {classes} of {len(frame)} rows", **facts)
    if not largest <= TOLERANCE:
        return decisions.native(f"compiled, it differs by {largest:.2g}, more than {TOLERANCE:g}", **facts)
    return Decision(kind="compiled", reason=f"agrees on {len(frame)} rows and is much faster", **facts)


def _speed(native: "Native", compiled: "Scorer", pool: "pandas.DataFrame", rows: int) -> float:
    """How many times as fast the compiled model is, each given what it takes fastest."""
    import pandas

    frame = pandas.concat([pool] * (rows // len(pool) + 1), ignore_index=True).head(rows)
    return _seconds(native, frame) / _seconds(compiled, frame)


def _seconds(scorer: "Scorer", frame: "pandas.DataFrame") -> float:
    from app.core.columns import Columns

    data: Any = frame
    if scorer.takes_matrix:
        data = frame.to_numpy(dtype=float)
    elif scorer.takes_columns:
        data = Columns({name: frame[name].tolist() for name in frame})
    return _fastest(lambda: scorer.predict(data))


def _fastest(call: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(TIMED):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in PACKAGES}


def main(folder: str, golden: str | None = None) -> None:
    from app.expect import inputs

    memory = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE)
    with contextlib.suppress(OSError, ValueError):  # it may be forbidden
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    decision, model = judge(Path(folder), inputs(Path(folder), Path(golden) if golden else None))
    print(json.dumps({**asdict(decision), "model": base64.b64encode(model).decode() if model else None}))


if __name__ == "__main__":
    os.environ.update(settings.environment(settings.processors()))  # one thread, as each of a node's workers has
    main(*sys.argv[1:])
