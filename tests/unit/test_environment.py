"""`ops.environment`: what `.slipway/env` sets, and what it keeps away from."""

import os
import stat
from pathlib import Path

import pytest

from localcloud.state import State
from ops import environment
from ops.run import run


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path / "it's a checkout")
    state.checkout.mkdir()
    state.create()
    return state


def sourced(file: Path, name: str, **before: str) -> str:
    return run(["sh", "-c", f'. "$1"; printf %s "${name}"', "sh", file], env=before).stdout


def test_a_shell_reads_back_every_value_even_with_quotes_in_the_path(state: State) -> None:
    variables = environment.environment(state, 4566, os.environ["PATH"])
    file = environment.write(state, variables)
    for name, value in variables.items():
        assert sourced(file, name) == value, f"{name} is not what was written"


def test_the_file_and_the_passphrase_are_for_their_owner_only(state: State) -> None:
    file = environment.write(state, environment.environment(state, 4566, "/bin"))
    for secret in (file, state.slipway / "passphrase", state.slipway / "ssh" / "id_ed25519"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_the_users_own_accounts_are_out_of_reach(state: State) -> None:
    file = environment.write(state, environment.environment(state, 4566, "/bin"))
    assert sourced(file, "AWS_PROFILE", AWS_PROFILE="company") == ""
    assert sourced(file, "PULUMI_CONFIG_PASSPHRASE", PULUMI_CONFIG_PASSPHRASE="other") == ""
    assert sourced(file, "AWS_CONFIG_FILE", AWS_CONFIG_FILE="/home/me/.aws/config") == "/dev/null"


def test_writing_it_again_keeps_the_ssh_key(state: State) -> None:
    variables = environment.environment(state, 4566, "/bin")
    environment.write(state, variables)
    key = (state.slipway / "ssh" / "id_ed25519").read_text()
    environment.write(state, variables)
    assert (state.slipway / "ssh" / "id_ed25519").read_text() == key


def test_a_key_left_half_made_is_made_again(state: State) -> None:
    variables = environment.environment(state, 4566, "/bin")
    environment.write(state, variables)
    (state.slipway / "ssh" / "id_ed25519.pub").unlink()
    environment.write(state, variables)
    assert (state.slipway / "ssh" / "id_ed25519.pub").read_text().startswith("ssh-ed25519 ")


def test_the_committed_salt_belongs_to_the_documented_passphrase() -> None:
    settings = Path(__file__).resolve().parents[2] / "Pulumi.local.yaml"
    if not settings.exists():
        pytest.skip("the local stack's settings are not here yet")
    assert environment.SALT_LINE in settings.read_text(), "stack init would write another salt into a committed file"


def test_mlflow_gets_its_login_from_the_secret() -> None:
    variables = environment.mlflow_environment("http://localhost:5000", '{"username": "admin", "password": "p"}')
    assert variables == {
        "MLFLOW_TRACKING_URI": "http://localhost:5000",
        "MLFLOW_TRACKING_USERNAME": "admin",
        "MLFLOW_TRACKING_PASSWORD": "p",
    }
