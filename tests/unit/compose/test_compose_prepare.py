"""What `make compose` lays out: the context of the images, and the secrets."""

import base64
import json
import stat
from pathlib import Path

import pytest

from compose import prepare, secrets
from contract.node_files import node_files
from jobs.node import broker
from ops import canonical
from ops.errors import UserError
from ops.release import Release

RELEASE = "a" * 64


def test_secrets_are_made_once_in_a_folder_that_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    prepare.make_secrets(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {*secrets.NAMES, *prepare.TLS["database"], *prepare.TLS["broker"], prepare.DEFINITIONS}
    assert all(len(before[name]) >= 32 for name in secrets.NAMES)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    prepare.make_secrets(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_missing_secret_is_made_anew_and_the_others_stay(tmp_path: Path) -> None:
    prepare.make_secrets(tmp_path / "secrets")
    kept = (tmp_path / "secrets/mlflow_admin_password").read_bytes()
    (tmp_path / "secrets/database_key").unlink()
    prepare.make_secrets(tmp_path / "secrets")
    assert (tmp_path / "secrets/database_key").exists()
    assert (tmp_path / "secrets/mlflow_admin_password").read_bytes() == kept


def test_the_broker_is_told_a_hash_of_the_password_that_others_have_and_of_no_other_user(tmp_path: Path) -> None:
    prepare.make_secrets(tmp_path)
    password = (tmp_path / "broker_password").read_text()
    definitions = tmp_path / prepare.DEFINITIONS
    (user,) = json.loads(definitions.read_text())["users"]
    salt = base64.b64decode(user["password_hash"])[:4]
    assert user["password_hash"] == broker.hashed(password, salt)
    assert password not in definitions.read_text()
    definitions.unlink()
    prepare.make_secrets(tmp_path)
    assert (tmp_path / "broker_password").read_text() == password
    assert definitions.exists()


def test_a_release_is_unpacked_anew_only_when_what_unpacks_it_has_changed() -> None:
    unpacking = {name.removeprefix("unpack/") for name in prepare.files(RELEASE) if name.startswith("unpack/")}
    library = "usr/local/lib/slipway"
    assert {f"{library}/compose/unpack.py", f"{library}/slipway_node/fetch.py"} <= unpacking
    assert f"{library}/compose/server.py" not in unpacking


def test_the_broker_has_a_nodes_own_settings() -> None:
    own = {file.path: file.content for file in node_files("broker")}
    found = {name: text for name, (text, _) in prepare.files(RELEASE).items() if name.startswith("rabbitmq/")}
    assert set(found) == {"rabbitmq/rabbitmq.conf", "rabbitmq/rabbitmq-env.conf", "rabbitmq/slipway_plugins"}
    assert all(own[f"/etc/{name}"] == text for name, text in found.items())


def test_nginx_in_a_container_writes_where_it_may_and_logs_to_the_engine() -> None:
    found = {name: text for name, (text, _) in prepare.files(RELEASE).items() if name.startswith("nginx/")}
    assert {"nginx/nginx.conf", "nginx/slipway/model-server.conf", "nginx/slipway/proxy.inc"} <= set(found)
    assert "nginx/slipway/mlflow.conf" not in found
    everything = "".join(found.values())
    assert "/dev/log" not in everything
    assert "\nuser " not in everything
    assert "pid /run/slipway/nginx.pid;" in everything
    assert "access_log /dev/stdout slipway if=$slipway_loggable;" in everything


def test_the_context_names_releases_by_their_digests_and_a_first_deployment_of_the_server_release(
    tmp_path: Path,
) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(b"archive")
    releases = {"server": Release(RELEASE, str(archive)), "control": Release("b" * 64, str(archive))}
    prepare.lay_out(tmp_path, releases)  # type: ignore[arg-type]
    context = tmp_path / "context"
    assert [path.name for path in (context / "releases/server").iterdir()] == [f"{RELEASE}.tar.zst"]
    manifest = (context / "bootstrap/bootstrap-manifest.json").read_bytes()
    pointed = json.loads((context / "bootstrap/bootstrap.json").read_text())
    assert pointed == {"deployment": canonical.sha256(manifest)[:12], "release": RELEASE}
    assert json.loads(manifest)["models"] == []
    assert (context / "packages").stat().st_mode & 0o111
    assert (context / "node/usr/local/lib/slipway/slipway-sandbox").stat().st_mode & 0o111


def test_laying_out_again_leaves_nothing_of_an_older_release(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(b"archive")
    for digest in ("a" * 64, "c" * 64):
        prepare.lay_out(tmp_path, {"server": Release(digest, str(archive))})
    assert [path.name for path in (tmp_path / "context/releases/server").iterdir()] == [f"{'c' * 64}.tar.zst"]


def test_a_machine_with_too_little_memory_is_refused_in_one_line(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:        4046428 kB\nMemAvailable:     524288 kB\n")
    with pytest.raises(UserError) as refused:
        prepare.require_memory(meminfo)
    assert refused.value.message == "this machine has 512 MiB of memory free, the Compose stack needs 3072"
