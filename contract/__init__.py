"""What infrastructure, nodes and tools must agree on: `contract.yaml`, typed.

The file is the source and this module only reads it, so that Ansible and the nodes can read the same one.
A key that is misspelled here or there fails at import, not on a machine.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

FILE = Path(__file__).with_name("contract.yaml")

T = TypeVar("T")


@dataclass(frozen=True)
class Users:
    server: str
    mlflow: str
    logs: str
    watcher: str
    predictions: str
    jobs: str
    pipeline: str


@dataclass(frozen=True)
class Ports:
    node_http: int
    database: int
    ssh: int
    broker: int
    broker_management: int
    airflow: int
    shadow: int


@dataclass(frozen=True)
class Http:
    nginx_keepalive_seconds: int
    balancer_idle_seconds: int
    nginx_read_seconds: int
    predict_seconds: int
    body_bytes: int


@dataclass(frozen=True)
class Paths:
    config: str
    facts: str
    bin: str
    releases: str
    models: str
    deployments: str
    slots: str
    state: str
    predictions: str
    run: str
    trial: str
    logs: str
    secrets: str
    database_ca: str
    jobs: str
    jobs_config: str
    jobs_run: str
    airflow: str
    training: str
    airflow_config: str
    airflow_users: str
    training_environment: str
    schedules: str
    pushed: str
    broker: str
    sandbox: str
    authorized_keys: str


@dataclass(frozen=True)
class Packages:
    serving: list[str]
    tracking: list[str]
    worker: list[str]
    broker: list[str]
    pipeline: list[str]


@dataclass(frozen=True)
class Units:
    server: str
    tracking: str
    broker: str
    jobs: str
    worker: str


@dataclass(frozen=True)
class ActivateExit:
    ok: int
    usage: int
    fetch: int
    digest: int
    start: int
    gate: int
    switch: int
    busy: int
    nothing: int


@dataclass(frozen=True)
class Trial:
    percents: list[int]
    at_once: int
    answer_seconds: int


@dataclass(frozen=True)
class S3Keys:
    releases: str
    deployments: str
    models: str
    rollouts: str
    lock: str
    followed: str
    paused: str
    trial: str
    previous: str
    mlflow: str
    predictions: str
    jobs: str
    pushed: str
    orders: str
    nodes: str
    logs: str


@dataclass(frozen=True)
class OrderFiles:
    order: str
    tree: str
    claim: str
    log: str
    outcome: str


@dataclass(frozen=True)
class JobsExit:
    refused: int
    absent: int


@dataclass(frozen=True)
class Parameters:
    deployment: str
    tracking_address: str
    watcher_key: str
    broker_address: str
    pipeline_address: str


@dataclass(frozen=True)
class Secrets:
    mlflow_admin: str
    watcher_key: str
    broker: str
    webhook: str
    jobs_database: str
    pipeline: str


@dataclass(frozen=True)
class Tags:
    project: str
    stack: str
    role: str


@dataclass(frozen=True)
class Metrics:
    namespace: str
    rollouts_returned: str
    jobs_queued: str
    stack: str


@dataclass(frozen=True)
class Headers:
    deployment: str
    model: str
    request_id: str
    key: str
    compare: str


def _load() -> dict[str, dict[str, Any]]:
    data = yaml.safe_load(FILE.read_text())
    assert isinstance(data, dict)
    return data


_data = _load()


def _section(kind: type[T], name: str) -> T:
    return kind(**_data.pop(name))


USERS = _section(Users, "users")
PORTS = _section(Ports, "ports")
HTTP = _section(Http, "http")
PATHS = _section(Paths, "paths")
PACKAGES = _section(Packages, "packages")
UNITS = _section(Units, "units")
ACTIVATE_EXIT = _section(ActivateExit, "activate_exit")
JOBS_EXIT = _section(JobsExit, "jobs_exit")
TRIAL = _section(Trial, "trial")
S3 = _section(S3Keys, "s3")
ORDER_FILES = _section(OrderFiles, "order_files")
PARAMETERS = _section(Parameters, "parameters")
SECRETS = _section(Secrets, "secrets")
TAGS = _section(Tags, "tags")
METRICS = _section(Metrics, "metrics")
HEADERS = _section(Headers, "headers")

if _data:
    raise ValueError(f"contract.yaml has sections that contract/__init__.py does not type: {', '.join(_data)}")


def parameter(stack: str, name: str) -> str:
    """The full SSM name of a parameter: `parameter("prod", PARAMETERS.deployment)` is `/slipway/prod/deployment`."""
    return f"/slipway/{stack}/{name}"
