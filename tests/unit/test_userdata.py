"""What a node gets at first boot: user data, and the bundle of files that it names, tested on the rendered output."""

import base64
import gzip
import hashlib
import io
import re
import tarfile
from typing import Any

import pytest
import yaml

from contract.node_files import CLOUD_INIT, Role, manifest, node_files
from infra import bundle, userdata
from infra.jobs import JobsSettings
from infra.pipeline import PipelineSettings
from infra.reading import Section

SERVING: dict[str, Any] = {
    "stack": "local",
    "role": "serving",
    "region": "us-east-1",
    "bucket": "slipway-local-artifacts",
    "deployment_parameter": "/slipway/local/deployment",
    "watcher_key_parameter": "/slipway/local/watcher-key",
    "prediction_log": {"share": 0.0, "daily_bytes": 268435456},
    "jobs": None,
}
WORKER: dict[str, Any] = {**SERVING, "role": "worker", "launch_hook": "ready"}
TRACKING: dict[str, Any] = {
    **{name: value for name, value in SERVING.items() if name not in ("prediction_log", "jobs")},
    "role": "tracking",
    "tracking_parameter": "/slipway/local/tracking-address",
    "watcher_secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:watcher-key",
    "control_release": "0" * 64,
    "delivery": {"alias": "champion"},
    "url": "https://models.example.com",
    "database_host": "db.example",
    "database_port": 5432,
    "database_name": "mlflow",
    "database_secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1",
    "mlflow_admin_secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:mlflow-admin",
    "mlflow_allowed_hosts": ["localhost:5000"],
    "orders": False,
}
JOBS: dict[str, Any] = {
    "release": "0" * 64,
    "broker_parameter": "/slipway/local/broker-address",
    "broker_secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:broker",
    "database_secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:jobs-database",
    "limits": JobsSettings.read(Section("", {}, [])).limits(),
}
BROKER: dict[str, Any] = {
    **{name: value for name, value in SERVING.items() if name != "prediction_log"},
    "role": "broker",
    "watcher_key_parameter": None,
    "jobs": JOBS,
    **{name: value for name, value in TRACKING.items() if name.startswith("database_")},
}
PIPELINE: dict[str, Any] = {
    **{name: value for name, value in SERVING.items() if name not in ("prediction_log", "jobs")},
    "role": "pipeline",
    "watcher_key_parameter": None,
    **{name: TRACKING[name] for name in ("tracking_parameter", "mlflow_admin_secret_arn", "delivery")},
    "mlflow_url": "https://mlflow.example.com",
    "pipeline": {
        "training_release": "0" * 64,
        "airflow_release": "1" * 64,
        "address_parameter": "/slipway/local/pipeline-address",
        "secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:pipeline",
        **PipelineSettings.read(Section("", {}, [])).facts(),
    },
    **{name: value for name, value in TRACKING.items() if name.startswith("database_")},
}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ operator"
FACTS: list[dict[str, Any]] = [SERVING, WORKER, TRACKING, BROKER, PIPELINE]
ROLES: tuple[Role, ...] = ("serving", "worker", "tracking", "broker", "pipeline")


def user_data(facts: dict[str, Any]) -> str:
    return userdata.render(facts["role"], facts, [KEY], bundle.bundle(facts["role"]).key)


@pytest.mark.parametrize("facts", FACTS, ids=ROLES)
def test_user_data_parses_and_runs_exactly_one_command(facts: dict[str, Any]) -> None:
    text = user_data(facts)
    assert text.startswith("#cloud-config\n")
    document = yaml.safe_load(text)
    key = bundle.bundle(facts["role"]).key
    assert document["runcmd"] == [["/usr/local/lib/slipway/slipway-bootstrap", key]]
    written = {file["path"]: file["content"] for file in document["write_files"]}
    assert set(written) == {"/usr/local/lib/slipway/slipway-bootstrap", "/etc/slipway/facts.json"}
    assert written["/usr/local/lib/slipway/slipway-bootstrap"].startswith("#!/usr/bin/python3\n")
    assert document["ssh_authorized_keys"] == [KEY]
    assert "packages" not in document, "cloud-init's own packages module always runs apt-get update"


@pytest.mark.parametrize("facts", FACTS, ids=ROLES)
def test_user_data_leaves_room_in_what_ec2_takes(facts: dict[str, Any]) -> None:
    text = user_data(facts)
    assert len(text.encode()) <= 6 * 1024
    assert base64.b64decode(userdata.encode(text)).decode() == text


def test_user_data_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="16385 bytes and EC2 takes 16384"):
        userdata.encode("x" * 16385)


@pytest.mark.parametrize("role", ROLES)
def test_a_bundle_is_named_by_what_it_holds_and_the_same_every_time(role: Role) -> None:
    made = bundle.bundle(role)
    assert made == bundle.bundle(role), "another name for equal files would replace nodes"
    archive = gzip.decompress(made.packed)
    assert made.key == f"nodes/{hashlib.sha256(archive).hexdigest()}.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = tar.getmembers()
        held = {f"/{member.name}": (member.mode, tar.extractfile(member).read().decode()) for member in members}  # type: ignore[union-attr]
    assert held == {file.path: (int(file.mode, 8), file.content) for file in node_files(role)}
    assert all((member.mtime, member.uid, member.uname) == (0, 0, "") for member in members)


def test_a_changed_file_is_another_bundle_whatever_the_order() -> None:
    files = node_files("serving")
    assert bundle.tar(files) == bundle.tar(reversed(files))
    assert bundle.tar(files) != bundle.tar(files[1:])


def test_each_file_is_there_once_and_only_for_its_role() -> None:
    paths = {role: [file.path for file in node_files(role)] for role in ROLES}
    for role in ROLES:
        assert len(paths[role]) == len(set(paths[role])), f"a path is written twice on a {role} node"
        assert "/etc/slipway/facts.json" not in paths[role], "facts are user data's: no two stacks have the same"
    assert "/etc/systemd/system/model-server@.service" in set(paths["serving"]) - set(paths["tracking"])


def test_every_source_of_the_manifest_exists_and_every_file_is_in_it() -> None:
    listed = {(CLOUD_INIT / file.source).resolve() for file in manifest()}
    missing = [str(path) for path in listed if not path.is_file()]
    assert not missing, f"the manifest names files that do not exist: {missing}"
    present = {
        path.resolve()
        for folder in ("bin", "files")
        for path in (CLOUD_INIT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert present <= listed, f"files that no node gets: {sorted(str(path) for path in present - listed)}"


def test_files_are_text_of_unix_lines_and_scripts_are_executable() -> None:
    for file in manifest():
        text = (CLOUD_INIT / file.source).read_text()
        assert text.endswith("\n"), file.source
        assert "\r" not in text, file.source
        assert file.mode == ("0755" if text.startswith("#!") else "0644"), f"{file.source} has mode {file.mode}"


def test_facts_hold_the_names_of_secrets_and_never_a_secret() -> None:
    with pytest.raises(ValueError, match="unknown \\['database_password'\\]"):
        userdata.render("serving", {**SERVING, "database_password": "hunter2"}, [], "nodes/x.tar.gz")


def test_facts_that_are_incomplete_or_of_another_role_are_refused() -> None:
    with pytest.raises(ValueError, match="missing \\['bucket'\\]"):
        userdata.facts_json({key: value for key, value in SERVING.items() if key != "bucket"})
    with pytest.raises(ValueError, match="was given the facts of 'tracking'"):
        userdata.render("serving", TRACKING, [], "nodes/x.tar.gz")


def test_no_endpoint_and_nothing_of_a_release_stands_in_user_data_or_a_bundle() -> None:
    texts = [
        user_data(SERVING),
        *(file.content for role in ("serving", "broker", "pipeline") for file in node_files(role)),
    ]
    for text in texts:
        assert "http://" not in re.sub(r"http://(slipway_\w+|127\.0\.0\.1)", "", text)
        assert "AWS_ENDPOINT_URL=" not in text
