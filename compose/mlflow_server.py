"""What the MLflow container starts: `python3 -m compose.mlflow_server`. As the tracking node does it.

Role and database are made with the database's own user, the schema of an older MLflow is brought up to date, and then
MLflow's server runs until the engine ends it. Passwords reach it by files and its environment, never by argv.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from compose import secrets
from ops import private
from ops.errors import reported
from ops.run import run
from ops.tracking import database, files
from ops.tracking.database import Server
from ops.tracking.secret import MlflowSecret

PRIVATE = Path("/run/slipway-secrets")
ARTIFACTS = "/var/lib/slipway-artifacts"
AUTHORITY = str(secrets.FOLDER / "database_authority")
HOSTS = ("localhost", "localhost:*", "127.0.0.1", "127.0.0.1:*", "mlflow", "mlflow:*")
PORT = 5000


def known() -> MlflowSecret:
    return MlflowSecret(
        username=secrets.ADMIN,
        password=secrets.read("mlflow_admin_password"),
        flask_secret_key=secrets.read("mlflow_session_key"),
        database_password=secrets.read("mlflow_database_password"),
    )


def environment(server: Server, secret: MlflowSecret, private: Path = PRIVATE) -> dict[str, str]:
    return {
        "MLFLOW_BACKEND_STORE_URI": server.url(str(files.passfile(private))),
        "MLFLOW_ARTIFACTS_DESTINATION": ARTIFACTS,
        "MLFLOW_SERVER_ALLOWED_HOSTS": os.environ.get("SLIPWAY_MLFLOW_HOSTS") or ",".join(HOSTS),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secret.flask_secret_key,
        "MLFLOW_AUTH_ADMIN_USERNAME": secret.username,
        "MLFLOW_AUTH_ADMIN_PASSWORD": secret.password,
        "MLFLOW_AUTH_CONFIG_PATH": str(private / "basic_auth.ini"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def argv() -> list[str]:
    serve = ["--host", "0.0.0.0", "--port", str(PORT), "--workers", "1"]  # noqa: S104  (the internal network's)
    return [sys.executable, "-m", "mlflow", "server", *serve, "--serve-artifacts", "--app-name", "basic-auth"]


def master() -> tuple[str, str, str]:
    return "postgres", secrets.read("database_password"), "postgres"


def main() -> None:
    secret, server = known(), Server(host="database", port=5432, ca=AUTHORITY)
    with reported("mlflow"):
        database.ensure_role(server, secret.database_password, master)
        owner = "slipway-mlflow"
        private.write(files.passfile(PRIVATE), server.passfile_line(secret.database_password), owner=owner)
        private.write(PRIVATE / "basic_auth.ini", files.basic_auth(server, PRIVATE), owner=owner)
        passfile = str(files.passfile(PRIVATE))
        if database.has_schema(server, passfile):
            run([sys.executable, "-m", "mlflow", "db", "upgrade", server.url(passfile)])
    sys.exit(serve({**os.environ, **environment(server, secret)}))


def serve(env: dict[str, str]) -> int:
    """MLflow's exit status. It has processes of its own, and process 1 gets no signal that it has no handler for."""
    process = subprocess.Popen(argv(), env=env, start_new_session=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.killpg(process.pid, signal.SIGTERM))
    return process.wait()


if __name__ == "__main__":
    main()
