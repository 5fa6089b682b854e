"""Apache Airflow as its own lock has it, installed outside the checkout when it is first wanted, with a home of a test.

It takes 220 MB and half a minute the first time; a second run finds it.
"""

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from localcloud.state import CHECKOUT
from ops import cache, uv
from ops.lock import exclusive
from ops.run import Result, run

PROJECT = CHECKOUT / "pipelines" / "airflow"
INSTALL_SECONDS = 560


def installed() -> Path:
    """Its Python."""
    lock = (PROJECT / "uv.lock").read_bytes() + (PROJECT / "pyproject.toml").read_bytes()
    kept = cache.folder("airflow")
    home = kept / hashlib.sha256(lock + sys.version.encode()).hexdigest()[:16]
    kept.mkdir(parents=True, exist_ok=True)
    with exclusive(kept / "lock", "Airflow's environment", waiting=print):
        if not (home / "complete").exists():
            environ = {"UV_PROJECT_ENVIRONMENT": str(home), "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": ""}
            words = ["sync", "--quiet", "--frozen", "--python", sys.executable]
            run([uv.find(), *words, "--project", PROJECT], env=environ, timeout_seconds=INSTALL_SECONDS)
            (home / "complete").touch()
    return home / "bin" / "python"


@dataclass(frozen=True)
class Airflow:
    """One that has its database in `home`, and the DAGs of this checkout."""

    python: Path
    home: Path

    def run(self, *words: str, **more: str) -> Result:
        """One of its commands, with more variables."""
        return run([self.python, "-m", "airflow", *words], env=self.environment(more), timeout_seconds=300)

    def script(self, text: str, *words: str) -> str:
        return run([self.python, "-c", text, *words], env=self.environment({}), timeout_seconds=300).stdout

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "pipelines" / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": "",
            **more,
        }
