"""The files that MLflow starts from, as MLflow itself reads them."""

from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from ops.tracking import files
from ops.tracking.database import Server


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What MLflow makes of basic_auth.ini. Its module is loaded by path: the package would open the user store."""
    server = Server(host="db.example", port=5432, ca="/etc/slipway/rds-ca.pem")
    written = tmp_path / "basic_auth.ini"
    written.write_text(files.basic_auth(server, tmp_path))
    monkeypatch.setenv("MLFLOW_AUTH_CONFIG_PATH", str(written))
    package = find_spec("mlflow.server")
    assert package
    assert package.origin
    spec = spec_from_file_location("mlflow_auth_config", Path(package.origin).parent / "auth" / "config.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.read_auth_config()


def test_users_live_in_the_stacks_database(settings: Any, tmp_path: Path) -> None:
    assert settings.database_uri.startswith("postgresql")
    assert "db.example" in settings.database_uri
    assert str(files.passfile(tmp_path)).rpartition("/")[2] in settings.database_uri


def test_a_login_that_was_right_is_remembered_for_a_minute_at_most(settings: Any) -> None:
    assert 0 < settings.auth_cache_ttl_seconds <= 60
    assert settings.authorization_function == "mlflow.server.auth:authenticate_request_basic_auth", "MLflow's own"
