"""The Ansible module that keeps a node's files, on a folder that stands for the node's root."""

import gzip
import json
import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.node_files import NodeFile, Role, node_files
from infra import bundle

ROLE = Path(__file__).resolve().parents[2] / "playbooks" / "roles" / "node"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = spec_from_file_location("node_files_module", ROLE / "library" / "node_files.py")
    assert spec
    assert spec.loader
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    monkeypatch.setattr(loaded, "ROOT", os.getuid())
    return loaded


@pytest.fixture
def files(tmp_path: Path) -> list[dict[str, str]]:
    os.umask(0o022)
    return [
        {"path": f"{tmp_path}/etc/a/one.conf", "mode": "0644", "content": "one\n"},
        {"path": f"{tmp_path}/lib/run", "mode": "0755", "content": "#!/bin/sh\n"},
    ]


def test_what_is_missing_is_made_with_its_folders_and_then_nothing_changes(
    module: Any, files: list[dict[str, str]], tmp_path: Path
) -> None:
    paths, _ = module.keep(files, check=False)
    assert paths == [f"{tmp_path}/etc/a", f"{tmp_path}/lib", *(file["path"] for file in files)]
    for file in files:
        assert Path(file["path"]).read_text() == file["content"]
        assert oct(Path(file["path"]).stat().st_mode & 0o7777) == oct(int(file["mode"], 8))
    assert module.keep(files, check=False) == ([], [])


def test_a_check_says_what_would_change_and_changes_nothing(
    module: Any, files: list[dict[str, str]], tmp_path: Path
) -> None:
    said = module.keep(files, check=True)
    assert list(tmp_path.iterdir()) == []
    assert said == module.keep(files, check=False), "what a check says is what a run then does"


def test_each_kind_of_difference_is_found_told_and_mended(module: Any, files: list[dict[str, str]]) -> None:
    module.keep(files, check=False)
    one, run = (Path(file["path"]) for file in files)
    one.write_text("by hand\n")
    run.chmod(0o600)
    paths, diff = module.keep(files, check=False)
    assert paths == [str(one), str(run)]
    owner = f"owner {os.getuid()}:{os.getuid()}"
    assert [(each["before_header"], each["before"], each["after"]) for each in diff] == [
        (str(one), "by hand\n", "one\n"),
        (str(run), f"mode 0600, {owner}\n", f"mode 0755, {owner}\n"),
    ]
    assert module.keep(files, check=False) == ([], [])


@pytest.mark.parametrize("content", [b"one\r\n", b"\xff\xfe", b""])
def test_content_is_compared_byte_for_byte(module: Any, files: list[dict[str, str]], content: bytes) -> None:
    module.keep(files, check=False)
    one = Path(files[0]["path"])
    one.write_bytes(content)
    assert module.keep(files, check=False)[0] == [str(one)]
    assert one.read_bytes() == b"one\n"


def test_a_link_in_a_files_place_is_replaced_and_what_it_leads_to_is_not(
    module: Any, files: list[dict[str, str]], tmp_path: Path
) -> None:
    module.keep(files, check=False)
    one, elsewhere = Path(files[0]["path"]), tmp_path / "elsewhere"
    elsewhere.write_text("one\n")
    one.unlink()
    one.symlink_to(elsewhere)
    assert module.keep(files, check=False)[0] == [str(one)]
    assert not one.is_symlink()
    assert elsewhere.read_text() == "one\n"


def test_no_draft_stays_behind_when_a_file_cannot_be_put_in_place(module: Any, files: list[dict[str, str]]) -> None:
    module.keep(files, check=False)
    one = Path(files[0]["path"])
    one.unlink()
    one.mkdir()
    with pytest.raises(OSError, match="directory"):
        module.keep(files, check=False)
    assert list(one.parent.iterdir()) == [one]


def test_the_playbook_wants_what_first_boot_unpacks(tmp_path: Path) -> None:
    """The lookup, run by Ansible itself, gives exactly the files of the bundle."""
    written = tmp_path / "written.json"
    copy = json.dumps({"content": "{{ lookup('node_files', 'serving') | to_json }}", "dest": str(written)})
    argv = [
        sys.executable,
        "-m",
        "ansible",
        "adhoc",
        "localhost",
        "-c",
        "local",
        "-m",
        "ansible.builtin.copy",
        "-a",
        copy,
    ]
    environment = {**os.environ, "ANSIBLE_LOOKUP_PLUGINS": str(ROLE / "lookup_plugins")}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = [NodeFile(**file) for file in json.loads(written.read_text())]
    assert wanted == node_files("serving")
    assert bundle.tar(wanted) == gzip.decompress(bundle.bundle("serving").packed)


def test_what_first_boot_starts_for_the_watcher_the_role_keeps_running() -> None:
    kept = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())["node_watcher_units"]
    boot = (ROLE.parents[2] / "cloud-init" / "bin" / "slipway-boot-tracking").read_text()
    assert f"units+=({' '.join(kept)})" in boot


@pytest.mark.parametrize(("role", "script"), [("serving", "jobs"), ("broker", "broker")])
def test_what_first_boot_starts_for_jobs_the_role_keeps_running(role: Role, script: str) -> None:
    kept = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    always = [unit for unit in kept["node_units"]["broker"] if "-logs" not in unit]
    units = always if role == "broker" else kept["node_jobs_units"]
    boot = (ROLE.parents[2] / "cloud-init" / "bin" / f"slipway-boot-{script}").read_text()
    assert {*units} - {*re.findall(r"[\w-]+\.(?:service|timer)", boot)} == set()
    installed = {Path(file.path).name for file in node_files(role)}
    assert {*units} - installed <= {"rabbitmq-server.service"}, "that one is the package's"


def test_a_worker_node_says_that_it_is_ready_and_has_nothing_that_accepts() -> None:
    kept = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())["node_units"]
    assert {*kept["worker"]} - {*kept["serving"]} == {"slipway-launched.service"}
    paths = {role: {file.path for file in node_files(role)} for role in ("serving", "worker")}
    alone = paths["serving"] - paths["worker"]
    assert alone == {
        "/etc/systemd/system/slipway-jobs.service",
        *(f"/etc/nginx/slipway/jobs/{name}.inc" for name in ("http", "server", "location")),
    }
    boot = (ROLE.parents[2] / "cloud-init" / "bin" / "slipway-boot-worker").read_text()
    assert "start --no-block slipway-launched.service" in boot


def test_what_first_boot_starts_for_pipelines_the_role_keeps_running() -> None:
    kept = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())["node_units"]["pipeline"]
    units = [unit for unit in kept if "-logs" not in unit]
    boot = (ROLE.parents[2] / "cloud-init" / "bin" / "slipway-boot-pipeline").read_text()
    for verb in ("enable", "start"):
        _, _, words = boot.partition(f"systemctl {verb} ")
        started = words.partition("\n\n")[0].partition("\n#")[0].replace("\\\n", " ").split()
        assert [word for word in started if not word.startswith("--")] == units
    assert {*units} <= {Path(file.path).name for file in node_files("pipeline")}
