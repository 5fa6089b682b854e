"""The verbs of the Makefile, from a bare machine on: set up the toolchain, then run the work in the `.venv`, as root
where it must be.

Starts on bare Python, so it imports the standard library only. It holds the checkout's lock for the whole of `up`,
`down` and `clean`, from before the first package is installed.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence

import toolchain  # noqa: F401 - first, for it refuses a Python that is too old
from ops import cache
from ops.errors import UserError, interruptible, reported
from ops.follow import attached
from ops.lock import exclusive
from ops.steps import Steps
from toolchain import host, setup
from toolchain.pins import APT

CHECKOUT = setup.CHECKOUT
SLIPWAY = CHECKOUT / ".slipway"
STATE = "localcloud"  # the folder that localcloud.state makes there
VENV_PYTHON = CHECKOUT / ".venv" / "bin" / "python"
GENERATED = (".venv", ".slipway", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")


def up() -> int:
    needs_root("make up")
    setup.setup(Steps())
    return in_venv(["ops.bringup"], root=True)


def down() -> int:
    """Sets nothing up, and asks for no root, where no local cloud has ever begun."""
    if not (SLIPWAY / STATE).exists():
        print("nothing is up", file=sys.stderr)
        return 0
    needs_root("make down")
    if not VENV_PYTHON.exists():
        setup.setup(Steps())
    return in_venv(["ops.teardown"], root=True)


def clean() -> int:
    if status := down():
        return status
    for name in GENERATED:
        shutil.rmtree(CHECKOUT / name, ignore_errors=True)
    left = [str(CHECKOUT / name) for name in GENERATED if (CHECKOUT / name).exists()]
    return attached(host.as_root(host.this_host(), ["rm", "-rf", *left])) if left else 0


def test(words: Sequence[str]) -> int:
    this = host.this_host()
    setup.setup(Steps(), machines=this.can_be_root, more=APT.gameday if this.can_be_root else [])
    return in_venv(["ops.checks", *words], root=False)


def lint() -> int:
    return test(["lint"])


def bench_up(runs: Sequence[str]) -> int:
    needs_root("make bench-up")
    setup.setup(Steps())
    return in_venv(["tests.bench.up", *(["--runs", runs[0]] if runs else [])], root=True)


def bench(words: Sequence[str]) -> int:
    """Needs no root: nothing of it is a machine."""
    setup.setup(Steps(), machines=False, more=APT.bench)
    return in_venv(["tests.bench.serving", *words], root=False)


def bench_jobs(words: Sequence[str]) -> int:
    needs_root("make bench-jobs")
    setup.setup(Steps(), more=APT.bench)
    return in_venv(["tests.bench.jobs", *words], root=True)


def gameday(words: Sequence[str]) -> int:
    needs_root("make gameday")
    setup.setup(Steps(), more=APT.gameday)
    return in_venv(["tests.gameday", *words], root=True)


def release() -> int:
    needs_root("make release")
    setup.setup(Steps())
    return in_venv(["ops.release"], root=True)


def compose() -> int:
    needs_root("make compose")
    setup.setup(Steps())
    return in_venv(["compose.prepare"], root=True)


def show(module: Sequence[str]) -> int:
    """The verbs that only look: they set nothing up."""
    if not (SLIPWAY / "env").exists() or not VENV_PYTHON.exists():
        raise UserError("no local stack is up in this checkout", "bring it up with `make up`")
    return in_venv(module, root=False)


def needs_root(what: str) -> None:
    this = host.this_host()
    host.check(this)
    if not this.can_be_root:
        raise UserError(f"{what}: {host.why_no_machines(this)}", "run it as root, or as a user whom sudo lets in")
    if not this.root and attached(["sudo", "-v"]):
        raise UserError(f"{what}: sudo does not let this user in", "run it as root, or as a user whom sudo lets in")


def in_venv(module: Sequence[str], *, root: bool) -> int:
    """Runs a module of ours with the locked packages, on this terminal."""
    # Container images like to set it. Without byte code each of our processes compiles all its imports anew: seconds.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    path = host.search_path(*setup.recorded())
    # By `env`, for sudo has a PATH of its own, whatever it is asked to keep.
    command = ["env", f"PATH={path}", f"PYTHONPATH={CHECKOUT}", str(VENV_PYTHON), "-m", *module]
    if root:
        # Root's byte code must not land in a user's checkout, where `git clean` and the next run could not remove it.
        if os.geteuid():
            os.environ["PYTHONPYCACHEPREFIX"] = str(SLIPWAY / "pycache")
        os.environ[cache.VARIABLE] = str(cache.root())
        command = host.as_root(host.this_host(), command, host.handed_on())
    return attached(command)


def locked(verb: str) -> int:
    SLIPWAY.mkdir(mode=0o700, exist_ok=True)
    with exclusive(SLIPWAY / "lock", f"make {verb}"):
        return LOCKED[verb]()


def main() -> None:
    parser = argparse.ArgumentParser(prog="slipway", description="The verbs of the Makefile.")
    parser.add_argument("verb", choices=sorted([*LOCKED, *PLAIN, *WITH_WORDS]))
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        help="for tests: lint, unit, program, moto, machines; for bench-up: how many runs; for others: their options",
    )
    arguments = parser.parse_args()
    interruptible()
    os.chdir(CHECKOUT)
    with reported("slipway"):
        try:
            sys.exit(perform(arguments.verb, arguments.words))
        except PermissionError as error:
            hint = "run it as the user who ran `make up`, or with sudo"
            raise UserError(f"{error.filename}: {error.strerror}, it belongs to somebody else", hint) from None


def perform(verb: str, words: Sequence[str]) -> int:
    if verb in LOCKED:
        return locked(verb)
    return WITH_WORDS[verb](words) if verb in WITH_WORDS else PLAIN[verb]()


LOCKED: dict[str, Callable[[], int]] = {"up": up, "down": down, "clean": clean}
WITH_WORDS: dict[str, Callable[[Sequence[str]], int]] = {
    "test": test,
    "test-all": lambda tiers: test(["--all", *tiers]),
    "bench": bench,
    "bench-up": bench_up,
    "bench-jobs": bench_jobs,
    "gameday": gameday,
}
PLAIN: dict[str, Callable[[], int]] = {
    "lint": lint,
    "release": release,
    "compose": compose,
    "status": lambda: show(["localcloud", "status"]),
    "url": lambda: show(["ops.address", "url"]),
    "mlflow-url": lambda: show(["ops.address", "mlflow_url"]),
}

if __name__ == "__main__":
    main()
