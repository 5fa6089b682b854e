"""The files that MLflow starts from, on a tmpfs: password file, environment, and the settings of its basic auth."""

from pathlib import Path
from typing import TYPE_CHECKING

import contract
from ops import private
from ops.tracking.facts import Facts
from ops.tracking.secret import MlflowSecret

if TYPE_CHECKING:
    from ops.tracking.database import Server

FOLDER = Path(contract.PATHS.secrets)
LOGIN_SECONDS = 60
"""How long MLflow goes on taking a login that was changed behind its back, in the database."""
LOCAL = "127.0.0.1:5000"
"""How the node's own processes ask MLflow: the address that its unit listens on."""


def passfile(folder: Path = FOLDER) -> Path:
    return folder / "mlflow.pgpass"


def environment(facts: Facts, secret: MlflowSecret, server: "Server", folder: Path = FOLDER) -> dict[str, str]:
    """What mlflow.service gets by EnvironmentFile. systemd reads that as root, so the file is closed to MLflow."""
    return {
        "MLFLOW_BACKEND_STORE_URI": server.url(str(passfile(folder))),
        "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{facts.bucket}/{contract.S3.mlflow.rstrip('/')}",
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join([*facts.mlflow_allowed_hosts, LOCAL]),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secret.flask_secret_key,
        "MLFLOW_AUTH_ADMIN_USERNAME": secret.username,
        "MLFLOW_AUTH_ADMIN_PASSWORD": secret.password,
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "basic_auth.ini"),
        "AWS_DEFAULT_REGION": facts.region,
    }


def basic_auth(server: "Server", folder: Path = FOLDER) -> str:
    """MLflow's basic-auth settings: its users live in PostgreSQL, or they would die with the node.

    Each call would cost a tenth of a second or three for the hash of its password. The one worker remembers a login
    that was right under a keyed digest, and forgets it at once when the user is changed or deleted through MLflow.
    """
    url = server.url(str(passfile(folder))).replace("%", "%%")
    return (
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {url}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        f"auth_cache_ttl_seconds = {LOGIN_SECONDS}\n"
    )


def write_all(facts: Facts, secret: MlflowSecret, server: "Server", folder: Path = FOLDER) -> bool:
    """Writes all three. True when that changed something. Raises `OSError`."""
    lines = [f"{name}={_quoted(value)}\n" for name, value in environment(facts, secret, server, folder).items()]
    changes = [
        private.write(passfile(folder), server.passfile_line(secret.database_password), owner=contract.USERS.mlflow),
        private.write(folder / "mlflow.env", "".join(lines)),
        private.write(folder / "basic_auth.ini", basic_auth(server, folder), owner=contract.USERS.mlflow),
    ]
    return any(changes)


def _quoted(value: str) -> str:
    """A value as systemd.exec(5)'s EnvironmentFile reads it back."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
    return f'"{escaped}"'
