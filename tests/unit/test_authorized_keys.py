"""What a serving node makes of the parameter that holds the watcher's public key."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

from contract.node_files import CLOUD_INIT, node_files

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ slipway-watcher"


@pytest.fixture
def script() -> Any:
    loader = SourceFileLoader("authorized_keys", str(CLOUD_INIT / "bin" / "slipway-authorized-keys"))
    spec = spec_from_loader("authorized_keys", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_a_key_is_let_in_and_may_do_nothing_beside_running_commands(script: Any) -> None:
    assert script.line(KEY) == f"restrict {KEY}\n"


@pytest.mark.parametrize(
    "value", ["pending", "", f"{KEY}\n{KEY}", f'command="sh" {KEY}', "ssh-rsa AAAA x", f"{KEY}\nssh-rsa AAAA"]
)
def test_what_is_no_key_alone_is_refused(script: Any, value: str) -> None:
    assert script.line(value) is None


def test_the_file_is_replaced_whole_and_only_when_it_differs(script: Any, tmp_path: Path) -> None:
    assert script.install(tmp_path, script.line(KEY))
    assert not script.install(tmp_path, script.line(KEY))
    assert [path.name for path in tmp_path.iterdir()] == [script.USER]
    assert (tmp_path / script.USER).stat().st_mode & 0o777 == 0o644


def test_sshd_looks_where_it_is_written_and_at_the_accounts_own_keys_still() -> None:
    files = {file.path: file.content for file in node_files("serving")}
    setting = next(
        line
        for line in files["/etc/ssh/sshd_config.d/slipway.conf"].splitlines()
        if line.startswith("AuthorizedKeysFile")
    )
    assert setting.split()[1:] == [".ssh/authorized_keys", "/etc/slipway/authorized_keys/%u"]
    assert not [path for path in (file.path for file in node_files("tracking")) if "/ssh" in path]
