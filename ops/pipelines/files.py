"""The files that Airflow, its tasks and the listener start from, on a tmpfs, each for the one user that they run as.

Keys are in Airflow's configuration file and not in its environment, which every task would inherit.
"""

import configparser
import io
import json
from collections.abc import Mapping
from pathlib import Path

from contract import PATHS, PORTS, USERS
from ops import notify, private
from ops.pipelines.facts import Facts
from ops.pipelines.secret import PipelineSecret
from ops.postgres import Owner, Server
from ops.training.address import VARIABLE
from ops.training.order import PAGES

FOLDER = Path(PATHS.secrets)
HOME = "/var/lib/slipway-pipeline"
AIRFLOW = Owner(role="airflow", database="airflow")
TRAINING = Owner(role="slipway_training", database="training")
CONNECT_SECONDS = 10
WEBHOOK = "webhook"
AT_ONCE = 2
"""Tasks under way at a time: each training is a process with pandas and scikit-learn in it."""


def server(facts: Facts) -> Server:
    return Server(host=facts.database_host, port=facts.database_port, ca=PATHS.database_ca)


def passfile(owner: Owner, folder: Path = FOLDER) -> Path:
    return folder / f"{owner.role}.pgpass"


def address(facts: Facts, owner: Owner, folder: Path = FOLDER) -> str:
    """libpq's address of a role's own database: it names the file with the password, never the password."""
    where = f"{owner.role}@{facts.database_host}:{facts.database_port}/{owner.database}"
    tls = f"sslmode=verify-full&sslrootcert={PATHS.database_ca}&connect_timeout={CONNECT_SECONDS}"
    return f"postgresql://{where}?passfile={passfile(owner, folder)}&{tls}"


def airflow(facts: Facts, secret: PipelineSecret, folder: Path = FOLDER) -> str:
    """Airflow's configuration. Of its components only those run that a schedule of processes needs."""
    known = address(facts, AIRFLOW, folder)
    plain, _, _ = known.partition("?")
    ours = f"http://127.0.0.1:{PORTS.airflow}"
    sections: Mapping[str, Mapping[str, object]] = {
        "core": {
            "dags_folder": f"{PATHS.training}/src/pipelines/dags",
            "executor": "LocalExecutor",
            "parallelism": AT_ONCE,
            "load_examples": False,
            "dags_are_paused_at_creation": False,
            "fernet_key": secret.fernet_key,
            "simple_auth_manager_users": f"{secret.username}:admin",
            "simple_auth_manager_passwords_file": str(folder / Path(PATHS.airflow_users).name),
            "execution_api_server_url": f"{ours}/execution/",
        },
        "database": {
            "sql_alchemy_conn": known.replace("postgresql:", "postgresql+psycopg2:", 1),
            # asyncpg takes the certificate authority from the environment: see the units.
            "sql_alchemy_conn_async": f"{plain.replace('postgresql:', 'postgresql+asyncpg:', 1)}"
            f"?passfile={passfile(AIRFLOW, folder)}&ssl=verify-full",
            "sql_alchemy_pool_size": 3,
        },
        "api": {
            "host": "127.0.0.1",
            "port": PORTS.airflow,
            "workers": 1,
            "base_url": ours,
            "secret_key": secret.session_key,
            "expose_config": False,
        },
        "api_auth": {"jwt_secret": secret.jwt_secret},
        "dag_processor": {"parsing_processes": 1, "refresh_interval": 60, "min_file_process_interval": 60},
        "logging": {"base_log_folder": f"{HOME}/logs", "logging_level": "INFO"},
        "usage_data_collection": {"enabled": False},
    }
    parser = configparser.RawConfigParser()
    for name, values in sections.items():
        parser[name] = {key: str(value).replace("%", "%%") for key, value in values.items()}
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def training(facts: Facts, mlflow: tuple[str, str, str], folder: Path = FOLDER) -> dict[str, str]:
    """The variables of a task: MLflow, by address and login, and for each pipeline that has a table the database."""
    host, username, password = mlflow
    table = address(facts, TRAINING, folder)
    chat = {notify.FILE: str(folder / WEBHOOK)} if facts.delivery.get(notify.SECRET) else {}
    inside = {notify.PRIVATE: "1"} if facts.delivery.get("webhook_private") else {}
    return {
        "MLFLOW_TRACKING_URI": f"http://{host}:{PORTS.node_http}",
        "MLFLOW_TRACKING_USERNAME": username,
        "MLFLOW_TRACKING_PASSWORD": password,
        "AWS_DEFAULT_REGION": facts.region,
        **({PAGES: facts.mlflow_url} if facts.mlflow_url else {}),
        **chat,
        **inside,
        **{f"{VARIABLE}_{name.upper()}": table for name in facts.tables},
    }


def write_all(
    facts: Facts, secret: PipelineSecret, mlflow: tuple[str, str, str], chat: str, folder: Path = FOLDER
) -> bool:
    """Whether that changed something. `chat`: the address of its webhook, empty without one. Raises `OSError`."""
    where = server(facts)
    contents = {
        passfile(AIRFLOW, folder): where.login_line(AIRFLOW, secret.airflow_database_password),
        passfile(TRAINING, folder): where.login_line(TRAINING, secret.training_database_password),
        folder / Path(PATHS.airflow_users).name: json.dumps({secret.username: secret.password}) + "\n",
        folder / Path(PATHS.training_environment).name: json.dumps(training(facts, mlflow, folder), indent=2) + "\n",
        folder / Path(PATHS.schedules).name: json.dumps(dict(facts.schedules)) + "\n",
        folder / WEBHOOK: chat,
        folder / Path(PATHS.airflow_config).name: airflow(facts, secret, folder),
    }
    changes = [private.write(path, text, owner=USERS.pipeline) for path, text in contents.items()]
    return any(changes)
