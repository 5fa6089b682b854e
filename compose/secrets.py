"""Secrets of the Compose stack, as the engine hands them to a container: one file each, for those that it may know."""

from pathlib import Path

FOLDER = Path("/run/secrets")
NAMES = (
    *("database_password", "mlflow_database_password", "mlflow_admin_password", "mlflow_session_key"),
    *("jobs_database_password", "broker_password"),
)
"""Generated once. Beside them lie certificates of database and broker, their keys, and the authorities that signed
them; and what the broker itself is told of its password, which is a hash."""
ADMIN = "admin"


def read(name: str, folder: Path = FOLDER) -> str:
    return (folder / name).read_text().strip()
