"""Building the engine from its Go modules, for machines that cannot reach the official site.

`go install …@version` refuses modules with replace directives, so `golang/` holds two wrapper modules whose go.sum
pins every source. The Python language host has no tagged module of its own; the last one inside sdk/v3 drives this
engine. Without Go on the machine, Go itself comes from the module proxy, as the plain zip `golang.org/toolchain`.
"""

import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ops.errors import UserError
from ops.follow import follow
from ops.run import run
from ops.steps import Step
from toolchain.download import Unreachable, fetch
from toolchain.pins import ENGINE, GO, version_tuple

WRAPPERS = Path(__file__).with_name("golang")
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
SDK_SCRIPTS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")
TAGS = "osusergo,grpcnotrace"
DEFAULT_PROXY = "https://proxy.golang.org"
NEEDED_GIB = 6
HINT = "check the network (GOPROXY applies) and the disk, then run this again: it goes on from what is built"


@dataclass(frozen=True)
class Program:
    """A program to build: its package, the wrapper module that pins its sources, and what the linker is told."""

    name: str
    wrapper: Path
    package: str
    ldflags: str


ENGINE_PROGRAM = Program(
    name="pulumi",
    wrapper=WRAPPERS / "engine",
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    ldflags=f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{ENGINE.version}",
)
LANGUAGE_PROGRAM = Program(
    name="pulumi-language-python",
    wrapper=WRAPPERS / "language",
    package="github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
    ldflags="-s -w",
)


@dataclass(frozen=True)
class Go:
    """A Go toolchain, with caches of its own: the user's stay as they are, and ours can be thrown away."""

    program: Path
    work: Path

    @property
    def env(self) -> dict[str, str]:
        return {
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
            "GOWORK": "off",
            "CGO_ENABLED": "0",
            "GOMODCACHE": str(self.work / "mod"),
            "GOCACHE": str(self.work / "cache"),
        }


def build(cache: Path, target: Path, step: Step) -> None:
    """Puts the engine, its language host and their scripts into `target`. Takes about 14 minutes on two cores."""
    work = cache / f"build-{ENGINE.version}"
    work.mkdir(parents=True, exist_ok=True)
    check_space(work)
    step.board.line("     this takes about 14 minutes on two cores, once; interrupting it is safe")
    go = Go(_find_go(cache, step), work)
    for program in (ENGINE_PROGRAM, LANGUAGE_PROGRAM):
        _compile(go, program, target / program.name, step)
    sdk = Path(
        run(
            [str(go.program), "list", "-m", "-f", "{{.Dir}}", SDK_MODULE],
            env=go.env,
            cwd=WRAPPERS / "engine",
            hint=HINT,
        ).stdout.strip()
    )
    for script in SDK_SCRIPTS:
        file = target / Path(script).name
        shutil.copyfile(sdk / script, file)
        file.chmod(0o755)
    shutil.rmtree(work, ignore_errors=True)


def _compile(go: Go, program: Program, target: Path, step: Step) -> None:
    """`go build -v` prints each package that it compiles, which is all the progress there is."""
    step.log = log = go.work / f"{program.name}.log"
    step.say(f"{program.name}: fetching its Go modules")
    listing = run(
        [str(go.program), "list", "-deps", "-tags", TAGS, program.package], env=go.env, cwd=program.wrapper, hint=HINT
    )
    total, count = len(listing.stdout.split()), 0

    def compiled(_line: str) -> None:
        nonlocal count
        count += 1
        step.say(f"{program.name}: {count} of about {total} packages compiled")

    command = [str(go.program), "build", "-v", "-trimpath", "-tags", TAGS, "-ldflags", program.ldflags]
    output = ["-o", str(target), program.package]
    follow([*command, *output], compiled, log=log, env=go.env, cwd=program.wrapper, hint=HINT)
    step.log = None


def check_space(work: Path) -> None:
    free = shutil.disk_usage(work).free / 2**30
    if free < NEEDED_GIB:
        raise UserError(
            f"{work}: {free:.1f} GiB free, the Go build needs {NEEDED_GIB}",
            "free some space, or use a mirror of the official archive: SLIPWAY_TOOLCHAIN_MIRROR=<folder or URL>",
        )


def _find_go(cache: Path, step: Step) -> Path:
    """Go of at least the engine's version: on PATH, in the cache, or from the module proxy."""
    if found := shutil.which("go"):
        version = run([found, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"}, check=False).stdout
        if version_tuple(version) >= version_tuple(GO.minimum):
            return Path(found)
    home = cache / f"go-{GO.version}"
    if not home.is_dir():
        _install_go(cache, home, step)
    return home / "bin" / "go"


def _install_go(cache: Path, home: Path, step: Step) -> None:
    half = cache / f".go-{GO.version}.new"
    shutil.rmtree(half, ignore_errors=True)
    part = cache / f".go-{GO.version}.zip.part"
    name = f"golang.org/toolchain/@v/v0.0.1-go{GO.version}.linux-amd64.zip"
    refusals = []
    for proxy in proxies(os.environ.get("GOPROXY", "")):
        try:
            step.say(f"fetching Go {GO.version}")
            _unzip(fetch(proxy, name, GO.sha256, part, step), half)
            part.unlink(missing_ok=True)
            half.rename(home)
            return
        except Unreachable as error:
            refusals.append(error.message)
    raise UserError(
        f"no Go {GO.minimum} or newer on PATH, and no module proxy gives one: {'; '.join(refusals)}",
        "install Go, set GOPROXY to a proxy that answers, or set SLIPWAY_TOOLCHAIN_MIRROR to the engine's archive",
    )


def proxies(setting: str) -> list[str]:
    """The addresses in a GOPROXY setting, in order; `direct` and `off` are no place to get a zip from."""
    places = setting.replace("|", ",").split(",") if setting else [DEFAULT_PROXY]
    return [place.strip() for place in places if place.strip() not in {"", "direct", "off"}]


def _unzip(archive: Path, target: Path) -> None:
    """The zip holds one folder `golang.org/toolchain@v…/` and no modes: what is in bin and tool is a program."""
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            inner = Path(*Path(entry.filename).parts[2:])
            file = target / inner
            file.parent.mkdir(parents=True, exist_ok=True)
            with content.open(entry) as source, file.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
            if inner.parts[0] == "bin" or inner.parts[:2] == ("pkg", "tool"):
                file.chmod(0o755)
