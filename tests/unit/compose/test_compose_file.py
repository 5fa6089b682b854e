"""What compose.yaml, the Dockerfile and the balancer's configuration promise, read from the shipped files."""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from compose import healthy, jobs, prepare, processes, secrets, server
from contract import HTTP, PATHS, PORTS
from infra import routes
from tests.bench.serving.slipway import parse, rendered
from tests.unit.slipway_rig import node_below

CHECKOUT = Path(__file__).resolve().parents[3]
FILE: dict[str, Any] = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
DOCKERFILE = (CHECKOUT / "compose/Dockerfile").read_text()
BALANCER = (CHECKOUT / "compose/haproxy.cfg").read_text()
JOBS = {"broker", "accept", "worker"}
HAS_SECRETS = {"database", "mlflow", "deliver", *JOBS}
RUNS_MODELS = {"server", "sandbox"}

each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def seconds(name: str) -> int:
    return int(SERVICES[name]["stop_grace_period"].removesuffix("s"))


@each_service
def test_a_container_has_no_rights_and_nothing_to_write_but_what_is_named(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert not {"privileged", "cap_add", "devices", "pid", "user"} & service.keys()
    assert not any("docker.sock" in volume for volume in service.get("volumes", []))


@each_service
def test_a_container_starts_again_unless_it_was_stopped(name: str) -> None:
    assert SERVICES[name]["restart"] == ("no" if name == "deliver" else "unless-stopped")


@each_service
def test_only_the_balancer_has_a_route_to_the_outside(name: str) -> None:
    service = SERVICES[name]
    if name == "balancer":
        assert set(service["networks"]) == {"inside", "outside"}
        assert all(port.startswith("${SLIPWAY_ADDRESS:-127.0.0.1}:") for port in service["ports"])
    elif name == "sandbox":
        assert service["network_mode"] == "none"
    else:
        assert (service["networks"], "ports" in service) == (["inside"], False)
    assert FILE["networks"]["inside"] == {"internal": True}


def test_secrets_are_files_for_those_who_need_them_and_none_for_models_code() -> None:
    assert {name for name, service in SERVICES.items() if service.get("secrets")} == HAS_SECRETS
    assert not HAS_SECRETS & RUNS_MODELS
    made = {*secrets.NAMES, *prepare.TLS["database"], *prepare.TLS["broker"], prepare.DEFINITIONS}
    assert set(FILE["secrets"]) == made == {name for each in HAS_SECRETS for name in SERVICES[each]["secrets"]}
    assert all(each == {"file": f"./.slipway/compose/secrets/{name}"} for name, each in FILE["secrets"].items())
    assert "PASSWORD" not in (CHECKOUT / "compose.yaml").read_text() + DOCKERFILE


def test_what_must_outlive_a_container_lies_in_named_volumes_and_servers_only_read_them() -> None:
    mounted = {name: [volume.split(":") for volume in each.get("volumes", [])] for name, each in SERVICES.items()}
    named = {volume[0] for volumes in mounted.values() for volume in volumes}
    assert named == set(FILE["volumes"])
    assert mounted["server"] == [["deployments", "/srv/slipway", "ro"], ["jobs", "/run/slipway-jobs", "ro"]]
    assert ["deployments", "/srv/slipway", "ro"] in mounted["sandbox"]


def test_long_running_services_with_a_port_are_asked_for_their_health() -> None:
    assert {name for name, each in SERVICES.items() if "healthcheck" in each} == set(SERVICES) - {"sandbox", "deliver"}
    assert SERVICES["mlflow"]["depends_on"] == {"database": {"condition": "service_healthy"}}


def test_a_server_has_time_to_leave_the_balancer_and_to_answer_what_it_has() -> None:
    assert HTTP.predict_seconds + 10 <= processes.STOP_SECONDS
    assert seconds("server") > server.SEEN_SECONDS + 2 * processes.STOP_SECONDS
    interval, fast, fall = (
        int(re.search(rf"{word} (\d+)", BALANCER)[1])  # type: ignore[index]
        for word in ("check inter", "fastinter", "fall")
    )
    assert interval + (fall - 1) * fast / 1000 + 1 < server.SEEN_SECONDS


def test_the_file_is_the_subset_that_both_composes_read() -> None:
    assert "version" not in FILE
    assert not any({"deploy", "init", "develop", "configs"} & service.keys() for service in SERVICES.values())


def test_every_image_but_those_of_others_is_built_from_the_one_dockerfile_as_an_ordinary_user() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    bodies = {re.match(r"\S+ AS (\S+)", stage)[1]: stage for stage in stages}  # type: ignore[index]
    targets = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    assert targets == {"balancer", "server", "control", "database", "broker", "jobs"}
    assert all("USER 10001:10001" in bodies[target] for target in targets)
    assert {service["image"].rpartition("/")[2] for service in SERVICES.values()} == targets
    assert DOCKERFILE.count("FROM ${BASE}") == 1
    assert "pip" not in DOCKERFILE, "packages come with the releases"


def test_releases_run_where_a_node_runs_them_after_their_digest_was_checked() -> None:
    assert f"compose.unpack {PATHS.releases}" in DOCKERFILE
    assert f"--from=server-release {PATHS.releases} {PATHS.releases}" in DOCKERFILE


def test_a_request_is_sent_again_only_when_no_connection_could_be_made() -> None:
    assert re.findall(r"retry-on (.*)", BALANCER) == ["conn-failure"]


def test_the_balancer_forwards_what_a_stacks_balancer_does() -> None:
    patterns = [*routes.PREDICTIONS, *routes.MODELS, *routes.PAGES, *routes.JOBS]
    exact = re.search(r"acl served path (/.*)", BALANCER)[1].split()  # type: ignore[index]
    below = re.search(r"acl served path_beg (/.*)", BALANCER)[1].split()  # type: ignore[index]
    assert set(exact) | {f"{prefix}*" for prefix in below} == set(patterns)
    assert not any(fnmatch(inside, pattern) for inside in ("/metrics", "/readyz", "/livez") for pattern in patterns)


def test_without_its_profile_nothing_of_jobs_starts() -> None:
    assert {name for name, each in SERVICES.items() if each.get("profiles") == ["jobs"]} == JOBS
    needed = {other for name, each in SERVICES.items() if name not in JOBS for other in each.get("depends_on", {})}
    assert not needed & JOBS


def test_those_who_accept_and_those_who_work_meet_servers_at_sockets_that_the_nodes_files_name() -> None:
    assert f"bind unix@{jobs.MODELS} " in BALANCER
    served = {name for name, each in SERVICES.items() if any(PATHS.jobs_run in at for at in each.get("volumes", []))}
    assert served == {"balancer", "server", "accept", "worker"}
    assert f"http+unix:{PATHS.jobs_run}/accept.sock:/jobs/health" in SERVICES["accept"]["healthcheck"]["test"]
    assert SERVICES["worker"]["healthcheck"]["test"][-1] == f"connected:{PORTS.broker}"
    assert PORTS.broker == healthy.BROKER_PORT


def test_a_worker_has_time_to_answer_what_it_has_and_the_settings_reach_both() -> None:
    assert seconds("worker") > HTTP.predict_seconds + 10
    told = {*jobs.LIMITS, jobs.KEPT_MIB}
    assert set(SERVICES["accept"]["environment"]) == set(SERVICES["worker"]["environment"]) == told


def test_a_server_is_started_as_the_nodes_unit_starts_it(tmp_path: Path) -> None:
    node = node_below(tmp_path)
    unit = parse(rendered(tmp_path), "/usr/bin/python3")
    env = processes.server_environment(node, "a")
    assert {name: env.get(name) for name in unit.env} == unit.env
    assert list(processes.server_argv(node, "a")) == unit.command
