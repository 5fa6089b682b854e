"""User data: what a node gets at first boot, tested on the rendered output."""

import base64
import gzip
from typing import Any

import pytest
import yaml

from infra import userdata

SERVING: dict[str, Any] = {
    "stack": "local",
    "role": "serving",
    "region": "us-east-1",
    "bucket": "slipway-local-artifacts",
    "deployment_parameter": "/slipway/local/deployment",
}
TRACKING: dict[str, Any] = {
    **SERVING,
    "role": "tracking",
    "tracking_parameter": "/slipway/local/tracking-address",
    "control_release": "0" * 64,
    "database_host": "db.example",
    "database_port": 5432,
    "database_name": "mlflow",
    "database_secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1",
    "mlflow_admin_secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:mlflow-admin",
    "mlflow_allowed_hosts": ["localhost:5000"],
}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ operator"
FACTS: list[dict[str, Any]] = [SERVING, TRACKING]


def rendered(facts: dict[str, Any]) -> dict[str, Any]:
    text = userdata.render(facts["role"], facts, [KEY])
    assert text.startswith("#cloud-config\n")
    document = yaml.safe_load(text)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("facts", FACTS, ids=["serving", "tracking"])
def test_user_data_parses_and_runs_exactly_one_command(facts: dict[str, Any]) -> None:
    document = rendered(facts)
    assert document["runcmd"] == [["/usr/local/lib/slipway/slipway-boot"]]
    assert document["ssh_authorized_keys"] == [KEY]
    assert "packages" not in document, "cloud-init's own packages module always runs apt-get update"


@pytest.mark.parametrize("facts", FACTS, ids=["serving", "tracking"])
def test_user_data_fits_into_what_ec2_takes(facts: dict[str, Any]) -> None:
    text = userdata.render(facts["role"], facts, [KEY])
    packed = base64.b64decode(userdata.encode(text))
    assert len(packed) <= 16 * 1024
    assert gzip.decompress(packed).decode() == text
    assert userdata.encode(text) == userdata.encode(text), "equal text must be equal user data, or nodes are replaced"


def test_user_data_that_is_too_large_is_refused() -> None:
    noise = "".join(f"{number * 2654435761 % 2**32:08x}" for number in range(8000))
    with pytest.raises(ValueError, match="EC2 takes 16384"):
        userdata.encode(noise)


def test_each_file_is_written_once_and_only_for_its_role() -> None:
    for facts in FACTS:
        paths = [file["path"] for file in rendered(facts)["write_files"]]
        assert len(paths) == len(set(paths)), f"a path is written twice on a {facts['role']} node"
    serving = {file["path"] for file in rendered(SERVING)["write_files"]}
    tracking = {file["path"] for file in rendered(TRACKING)["write_files"]}
    assert "/etc/systemd/system/model-server@.service" in serving - tracking
    assert "/etc/slipway/facts.json" in serving & tracking


def test_every_source_of_the_manifest_exists_and_every_file_is_in_it() -> None:
    listed = {(userdata.CLOUD_INIT / file.source).resolve() for file in userdata.manifest()}
    missing = [str(path) for path in listed if not path.is_file()]
    assert not missing, f"the manifest names files that do not exist: {missing}"
    present = {
        path.resolve()
        for folder in ("bin", "files")
        for path in (userdata.CLOUD_INIT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert present <= listed, f"files that no node gets: {sorted(str(path) for path in present - listed)}"


def test_files_are_text_of_unix_lines_and_scripts_are_executable() -> None:
    for file in userdata.manifest():
        text = (userdata.CLOUD_INIT / file.source).read_text()
        assert text.endswith("\n"), file.source
        assert "\r" not in text, file.source
        assert file.mode == ("0755" if text.startswith("#!") else "0644"), f"{file.source} has mode {file.mode}"


def test_facts_hold_the_names_of_secrets_and_never_a_secret() -> None:
    with pytest.raises(ValueError, match="unknown \\['database_password'\\]"):
        userdata.render("serving", {**SERVING, "database_password": "hunter2"}, [])


def test_facts_that_are_incomplete_or_of_another_role_are_refused() -> None:
    with pytest.raises(ValueError, match="missing \\['bucket'\\]"):
        userdata.facts_json({key: value for key, value in SERVING.items() if key != "bucket"})
    with pytest.raises(ValueError, match="was given the facts of 'tracking'"):
        userdata.render("serving", TRACKING, [])


def test_no_endpoint_and_nothing_of_a_release_stands_in_user_data() -> None:
    text = userdata.render("serving", SERVING, [KEY])
    assert "http://" not in text.replace("http://slipway_model_server", "")
    assert "AWS_ENDPOINT_URL=" not in text
