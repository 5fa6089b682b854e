"""What the environment tells the server: the unit's file sets these, and nothing else configures it.

`environment()` is what the libraries must be told before they are imported; it is why gunicorn_config.py comes first.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.core import growth
from app.core.errors import BadDeploymentError
from contract import PATHS

DAILY_BYTES = 256 * 2**20
WORKERS_AT_MOST = 8


@dataclass(frozen=True, kw_only=True)
class Settings:
    slot: str
    deployment: Path
    models: Path
    run: Path
    workers: int
    sample: float = 0.0  # the share of predictions whose payload is kept
    samples: Path = Path(PATHS.run) / "predictions"
    worker_memory: int = 0  # bytes that each worker may hold at least, before another takes its place
    sample_daily_bytes: int = DAILY_BYTES  # of all samples that this machine writes in a day
    client_seconds: float = 20.0  # by then a client must have sent its headers, and again its body

    @property
    def socket(self) -> Path:
        return self.run / f"{self.slot}.sock"

    @property
    def drain_file(self) -> Path:
        return self.run / "draining"


def read(environ: Mapping[str, str]) -> Settings:
    """SLIPWAY_SLOT and SLIPWAY_DEPLOYMENT must be set; SLIPWAY_MODELS, _RUN, _WORKERS, _WORKER_MEMORY (MiB),
    _CLIENT_SECONDS, _SAMPLE, _SAMPLES and _SAMPLE_DAILY_BYTES may be."""
    missing = [name for name in ("SLIPWAY_SLOT", "SLIPWAY_DEPLOYMENT") if not environ.get(name)]
    if missing:
        raise BadDeploymentError(f"{' and '.join(missing)} must be set in the environment of the model server")
    run = Path(environ.get("SLIPWAY_RUN", PATHS.run))
    workers = _workers(environ.get("SLIPWAY_WORKERS"))
    return Settings(
        slot=environ["SLIPWAY_SLOT"],
        deployment=Path(environ["SLIPWAY_DEPLOYMENT"]),
        models=Path(environ.get("SLIPWAY_MODELS", PATHS.models)),
        run=run,
        sample=_share(environ.get("SLIPWAY_SAMPLE")),
        samples=Path(environ.get("SLIPWAY_SAMPLES") or run / "predictions"),
        sample_daily_bytes=_bytes(environ.get("SLIPWAY_SAMPLE_DAILY_BYTES")),
        workers=workers,
        worker_memory=_mebibytes(environ.get("SLIPWAY_WORKER_MEMORY")) or growth.each(workers),
        client_seconds=_seconds(environ.get("SLIPWAY_CLIENT_SECONDS"), 20.0),
    )


def _share(given: str | None) -> float:
    try:
        share = float(given or 0)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise BadDeploymentError(f"SLIPWAY_SAMPLE is {given!r}, expected a share of the predictions from 0 to 1")
    return share


def _bytes(given: str | None) -> int:
    if not given:
        return DAILY_BYTES
    if not given.isdecimal() or not int(given):
        raise BadDeploymentError(f"SLIPWAY_SAMPLE_DAILY_BYTES is {given!r}, expected a number of bytes")
    return int(given)


def _workers(given: str | None) -> int:
    if not given:
        return min(processors(), WORKERS_AT_MOST)
    if not given.isdecimal() or not 1 <= int(given) <= 64:
        raise BadDeploymentError(f"SLIPWAY_WORKERS is {given!r}, expected a number from 1 to 64")
    return int(given)


def _mebibytes(given: str | None) -> int:
    if given and not (given.isdecimal() and 1 <= int(given) <= 1 << 20):
        raise BadDeploymentError(f"SLIPWAY_WORKER_MEMORY is {given!r}, expected MiB from 1 to {1 << 20}")
    return int(given or 0) << 20


def _seconds(given: str | None, default: float) -> float:
    try:
        found = float(given or default)
    except ValueError:
        found = 0.0
    if not 0.1 <= found <= 3600:
        raise BadDeploymentError(f"SLIPWAY_CLIENT_SECONDS is {given!r}, expected seconds from 0.1 to 3600")
    return found


def processors() -> int:
    return len(os.sched_getaffinity(0))


def environment(workers: int) -> dict[str, str]:
    """Quiet, offline, and as many threads as this worker's share of the processors."""
    threads = str(max(1, processors() // workers))
    return {
        "MLFLOW_CONFIGURE_LOGGING": "false",  # its loggers then reach ours
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "JOBLIB_MULTIPROCESSING": "0",  # a forest's n_jobs starts a pool for each predict; workers are our parallelism
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
    }
