"""Secrets of the Compose stack, as the engine hands them to a container: one file each, for those that it may know."""

from pathlib import Path

FOLDER = Path("/run/secrets")
NAMES = ("database_password", "mlflow_database_password", "mlflow_admin_password", "mlflow_session_key")
"""Generated once. Beside them lie the database's certificate, its key, and the authority that signed it."""
ADMIN = "admin"


def read(name: str, folder: Path = FOLDER) -> str:
    return (folder / name).read_text().strip()
