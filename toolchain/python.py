"""uv at its pinned version, and the locked Python packages in the checkout's `.venv`.

uv lives in a virtual environment of its own in the cache, installed by pip with its hash, so that neither the system's
Python nor the user's own uv is touched. Python is always the one that runs this: none is downloaded.
"""

import re
import shutil
import sys
from pathlib import Path

from ops.errors import UserError
from ops.run import CommandError, run
from ops.steps import Step
from toolchain.pins import UV

NETWORK_HINT = (
    "check the network (pip's and uv's own settings for proxies and index mirrors apply), then run this again"
)


UNREACHABLE = re.compile(
    r"temporary failure in name resolution|name or service not known|network is unreachable|no route to host"
    r"|connection (?:refused|timed out|reset)|dns error",
    re.IGNORECASE,
)
NO_SPACE = re.compile(r"no space left on device", re.IGNORECASE)


def explained(error: CommandError) -> UserError:
    """pip and uv say the same thing many times over; one line is enough where we know which."""
    output = error.result.stderr + error.result.stdout
    if found := NO_SPACE.search(output):
        return UserError(f"the Python packages cannot be installed: {found.group().lower()}", "free some space")
    if found := UNREACHABLE.search(output):
        return UserError(f"the index of Python packages cannot be reached: {found.group().lower()}", NETWORK_HINT)
    return error


def ensure_uv(cache: Path, step: Step) -> Path:
    """The folder that holds `uv`, installed when absent."""
    home = cache / f"uv-{UV.version}"
    if (home / "bin" / "uv").exists():
        return home / "bin"
    step.say(f"installing uv {UV.version}")
    cache.mkdir(parents=True, exist_ok=True)
    half = cache / f".uv-{UV.version}.new"
    shutil.rmtree(half, ignore_errors=True)
    try:
        run([sys.executable, "-m", "venv", half], hint="install python3-venv, and check the disk")
        requirement = half / "uv.txt"
        requirement.write_text(f"uv=={UV.version} --hash=sha256:{UV.sha256}\n")
        pip = [str(half / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        try:
            run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(requirement)], hint=NETWORK_HINT)
        except CommandError as error:
            raise explained(error) from None
        half.rename(home)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return home / "bin"


def sync(uv: Path, checkout: Path, step: Step) -> None:
    """Makes `.venv` hold exactly what `uv.lock` says; a no-op takes a fraction of a second."""
    step.say("installing the locked packages")
    command = [str(uv / "uv"), "sync", "--locked", "--quiet", "--project", str(checkout), "--python", sys.executable]
    env = {"UV_PROJECT_ENVIRONMENT": str(checkout / ".venv"), "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": ""}
    try:
        run(command, env=env, hint=NETWORK_HINT)
    except CommandError as error:
        if "--locked" not in error.result.stderr:
            raise explained(error) from None
        raise CommandError(
            error.argv, error.result, "uv.lock is not what pyproject.toml asks for", "run `uv lock`"
        ) from None
