"""The servers that are compared, as a table: how each starts, when it is ready, and how it is asked.

Every one gets the same number of worker processes and the same thread settings for its numeric libraries. Slipway's
rows are in slipway.py, for they start as its unit says.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.serving import protocols
from tests.bench.serving.environments import PEERS
from tests.bench.serving.process import Address, free_port
from tests.bench.serving.protocols import Protocol, Table

QUIET = {
    "BENTOML_DO_NOT_TRACK": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """What one start of a server is given. `folder` is its own, new, and short enough for a socket's path."""

    python: Path
    model: Path
    example: Table
    folder: Path
    port: int
    workers: int

    @property
    def socket(self) -> Path:
        return self.folder / "s.sock"

    def bin(self, name: str) -> str:
        return str(self.python.with_name(name))


@dataclass(frozen=True, kw_only=True)
class Start:
    argv: list[str]
    cwd: Path
    env: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Server:
    """`lock` names its folder below peers/; `workers` is fixed where the row says so, else the run's.

    `note` reads from a start's folder what one should know of its figures.
    An `echo` answers no prediction: it is a floor to stand beside, not a peer.
    """

    name: str
    lock: str
    start: Callable[[Place], Start]
    protocol: Protocol
    ready: str
    batching: bool = False
    on_socket: bool = False
    workers: int | None = None
    echo: bool = False
    note: Callable[[Path], str] | None = None

    def address(self, place: Place) -> Address:
        return Address(socket=place.socket) if self.on_socket else Address(port=place.port)


def _start(place: Place, argv: list[str], peer: str | None = None) -> Start:
    env = {
        **QUIET,
        "PATH": os.pathsep.join([str(place.python.parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(place.folder),
        "BENTOML_HOME": str(place.folder / "bentoml"),
        "BENCH_MODEL": str(place.model),
        "BENCH_WORKERS": str(place.workers),
        "BENCH_PORT": str(place.port),
        "BENCH_COLUMNS": ",".join(place.example.columns),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return Start(argv=argv, cwd=PEERS / peer if peer else place.folder, env=env)


def mlflow(place: Place) -> Start:
    where = ["--host", "127.0.0.1", "--port", str(place.port), "--workers", str(place.workers)]
    words = ["models", "serve", "--env-manager", "local", "--model-uri", str(place.model), *where]
    return _start(place, [place.bin("mlflow"), *words])


def mlserver(place: Place, batching: Mapping[str, float] | None = None) -> Start:
    """MLServer reads a folder: its own settings, and the model's."""
    ports = {"http_port": place.port, "grpc_port": free_port(), "metrics_port": free_port()}
    settings = {**ports, "host": "127.0.0.1", "debug": False, "parallel_workers": place.workers}
    model = {
        "name": "model",
        "implementation": "mlserver_mlflow.MLflowRuntime",
        "parameters": {"uri": str(place.model)},
        **(batching or {}),
    }
    (place.folder / "settings.json").write_text(json.dumps(settings))
    (place.folder / "model-settings.json").write_text(json.dumps(model))
    return _start(place, [place.bin("mlserver"), "start", str(place.folder)])


def mlserver_batching(place: Place) -> Start:
    return mlserver(place, {"max_batch_size": 64, "max_batch_time": 0.005})


def bentoml(place: Place) -> Start:
    where = ["--host", "127.0.0.1", "--port", str(place.port)]
    return _start(place, [place.bin("bentoml"), "serve", "server:Predictor", *where], "bentoml")


def litserve(place: Place) -> Start:
    return _start(place, [str(place.python), "server.py"], "litserve")


def fastapi(place: Place) -> Start:
    words = ["--uds", str(place.socket), "--workers", str(place.workers), "--no-access-log", "--log-level", "warning"]
    return _start(place, [place.bin("uvicorn"), "server:app", *words], "fastapi")


def flask(place: Place, *kind: str) -> Start:
    words = ["--bind", f"unix:{place.socket}", "--workers", str(place.workers), "--no-control-socket", *kind]
    return _start(place, [place.bin("gunicorn"), *words, "server:app"], "flask")


def flask_sync(place: Place) -> Start:
    return flask(place, "--worker-class", "sync")


def flask_gthread(place: Place) -> Start:
    return flask(place, "--worker-class", "gthread", "--threads", "16")


MLFLOW = "mlflow models serve"

_scoring = Server(name=MLFLOW, lock="mlflow", start=mlflow, protocol=protocols.MLFLOW, ready="/ping")
_v2 = Server(name="MLServer", lock="mlserver", start=mlserver, protocol=protocols.V2, ready="/v2/models/model/ready")
_bentoml = Server(name="BentoML", lock="bentoml", start=bentoml, protocol=protocols.ROWS, ready="/readyz")
_litserve = Server(name="LitServe", lock="litserve", start=litserve, protocol=protocols.PREDICT, ready="/health")
_fastapi = replace(_litserve, name="FastAPI, uvicorn", lock="fastapi", start=fastapi, on_socket=True)
_flask = replace(_fastapi, name="Flask, gunicorn sync", lock="flask", start=flask_sync)

PEER_SERVERS = (
    _scoring,
    replace(_scoring, name=f"{MLFLOW}, 1 worker", workers=1),
    _v2,
    replace(_v2, name="MLServer, batching", start=mlserver_batching, batching=True),
    replace(_bentoml, name="BentoML, batching", batching=True),
    replace(_litserve, name="LitServe, batching", batching=True),
    _fastapi,
    _flask,
    replace(_flask, name="Flask, gunicorn gthread", start=flask_gthread),
)
