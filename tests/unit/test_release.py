"""Releases: the same inputs give the same digest, and only what matters is an input."""

import io
import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

from ops import bytecode, canonical, packages, release, sources
from ops.errors import UserError
from ops.store import Store

NODE = Path("/usr/bin/python3")


def small_tree(root: Path) -> Path:
    """A release in small: a few packages, our own code, and a file that no Python compiles."""
    package = root / "lib" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "NAMES = {'a', 'b', 'c'}\n\ndef known(x):\n    return x in {'one', 'two', None}\n"
    )
    (package / "template.py").write_text("class {{ name }}:\n")
    (root / "lib" / "single.py").write_text("import package\nNAMES = package.NAMES\n")
    (root / "src" / "app").mkdir(parents=True)
    (root / "src" / "app" / "__init__.py").write_text("x = ('one', 'two', None)\n")
    return root


@pytest.mark.parametrize("python", [Path(sys.executable), NODE], ids=["ours", "debian"])
def test_building_twice_gives_the_same_digest_byte_code_included(tmp_path: Path, python: Path) -> None:
    if not python.exists():
        pytest.skip(f"{python} is not on this machine")
    digests = set()
    for name in ("first", "second"):
        root = small_tree(tmp_path / name)
        environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": str(len(name))}
        subprocess.run([python, bytecode.__file__, root], check=True, env=environment)
        digests.add(canonical.write_tar_zst(root, tmp_path / f"{name}.tar.zst"))
        compiled = sorted(path.name.split(".")[0] for path in root.rglob("*.pyc"))
        assert compiled == ["__init__", "__init__", "single"], "a template in a package is left as it is"
    assert len(digests) == 1


def test_byte_code_holds_no_path_of_the_machine_that_compiled_it(tmp_path: Path) -> None:
    root = small_tree(tmp_path / "tree")
    subprocess.run([sys.executable, bytecode.__file__, root], check=True)
    for compiled in root.rglob("*.pyc"):
        assert str(tmp_path).encode() not in compiled.read_bytes()


def test_byte_code_is_used_without_looking_at_its_source(tmp_path: Path) -> None:
    root = small_tree(tmp_path / "tree")
    subprocess.run([sys.executable, bytecode.__file__, root], check=True)
    (root / "src" / "app" / "__init__.py").write_text("raise SystemError('the source was compiled again')\n")
    environment = {"PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", "import app; assert app.x"], check=True, env=environment, cwd=root)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what releases are made of, with an image that need not be there."""
    for name in ("app", "contract", "jobs", "ops", "playbooks", "cloud-init", "uv.lock", "pyproject.toml"):
        source, place = release.CHECKOUT / name, tmp_path / name
        shutil.copytree(source, place) if source.is_dir() else shutil.copy(source, place)
    for owner in (release, sources):
        monkeypatch.setattr(owner, "CHECKOUT", tmp_path)
    for module in ("bytecode", "canonical", "packages", "release", "sources"):
        monkeypatch.setattr(f"ops.{module}.__file__", str(tmp_path / "ops" / f"{module}.py"))
    monkeypatch.setattr("ops.node_python.identity", lambda: "image 1")
    return tmp_path


def test_a_changed_source_is_another_release_and_a_cached_folder_is_not(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = release.inputs_digest("server")
    (checkout / "app" / "__pycache__").mkdir(exist_ok=True)
    (checkout / "app" / "__pycache__" / "x.pyc").write_text("")
    (checkout / "playbooks" / "new.yml").write_text("")
    assert release.inputs_digest("server") == before, "playbooks are no part of the server's release"
    (checkout / "app" / "new.py").write_text("")
    assert release.inputs_digest("server") != before
    monkeypatch.setattr("ops.node_python.identity", lambda: "image 2")
    assert release.inputs_digest("server") != before, "another Python compiles other byte code"


def test_two_who_want_a_release_at_once_build_it_once(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    other = threading.Event()

    def build(kind: packages.Kind, kept: Path, record: Path, *_: object, **__: object) -> release.Release:
        assert other.wait(60), "the other waits for this one"
        archive = kept / "archive"
        archive.touch()
        made = release.Release("digest", str(archive))
        record.write_text(json.dumps(asdict(made)))
        built.append(kind)
        return made

    monkeypatch.setattr(release, "_built", build)
    monkeypatch.setattr("ops.lock.POLL_SECONDS", 0.01)
    monkeypatch.setenv("XDG_CACHE_HOME", str(checkout / "cache"))
    with ThreadPoolExecutor(2) as pool:
        found = set(pool.map(lambda _: release.build("server", lambda _text: other.set()), range(2)))
    assert len(found) == 1
    assert built == ["server"]


def test_other_sources_take_the_packages_that_are_there(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make(kind: str, requirements: str, place: Path, progress: object) -> None:
        made.append(requirements)
        (place / "tree" / "lib").mkdir(parents=True)
        (place / "tree" / "lib" / "package.py").write_text(requirements)
        canonical.begin_tar_zst(place / "tree", place / "archive")
        os.utime(place / "tree", (0, 0))  # long ago, and still what a release of today is made from

    monkeypatch.setattr(packages, "_make", make)
    monkeypatch.setattr(packages, "exported", lambda kind: "package==1\n")
    monkeypatch.setattr("ops.node_python.compile_tree", lambda *_: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(checkout / "cache"))
    first = release.build("server")
    (checkout / "app" / "new.py").write_text("")
    second = release.build("server")
    assert first.digest != second.digest
    assert made == ["package==1\n"], "installing, compiling and packing them takes a minute"
    folder = release.cache_folder() / second.digest
    assert canonical.write_tar(folder, io.BytesIO()) == second.digest, "the folder is what the archive holds"
    assert (folder / "lib" / "package.py").read_text() == "package==1\n"
    assert canonical.read_tar_zst(Path(second.file), checkout / "out") == second.digest


def test_a_release_says_what_it_was_made_from(checkout: Path) -> None:
    pins = "package==1 \\\n    --hash=sha256:00\nother==2 ; sys_platform == 'linux' \\\n    --hash=sha256:11\n"
    locked = packages.Locked(checkout, checkout, pins)
    release.assemble("jobs", checkout / "tree", locked, None)
    assert sources.pins(checkout / "tree") == pins
    about = json.loads((checkout / "tree" / sources.ABOUT).read_text())
    assert about["packages"] == {"package": "1", "other": "2"}
    assert sources.requires("jobs", checkout / "tree") == about["requires"] == sources.requires("jobs")


def test_programs_stay_in_a_release_and_scripts_do_not(tmp_path: Path) -> None:
    for place in ("bin/uv", "bin/flask", "package/__init__.py"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).touch()
    packages._prune(tmp_path)
    assert sorted(path.name for path in (tmp_path / "bin").iterdir()) == ["uv"]
    (tmp_path / "bin" / "uv").unlink()
    packages._prune(tmp_path)
    assert not (tmp_path / "bin").exists()


class Bucket(Store):
    """Holds one archive, whatever is asked for."""

    def __init__(self, content: bytes) -> None:
        super().__init__("us-east-1", "artifacts", "/parameter")
        self.content = content

    def get(self, key: str, place: Path) -> None:
        place.write_bytes(self.content)


@pytest.mark.parametrize("cached", [False, True], ids=["in the bucket", "in the cache"])
@pytest.mark.parametrize("kind", ["another", "cut off", "no tar", "no archive"])
def test_a_release_that_is_not_what_its_name_says_is_one_line_and_stays_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, cached: bool
) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    packed = tmp_path / "packed"
    canonical.write_tar_zst(small_tree(tmp_path / "tree"), packed)
    whole = packed.read_bytes()
    no_tar = subprocess.run(["zstd", "-qc"], input=b"words", capture_output=True, check=True).stdout
    content = {"another": whole, "cut off": whole[:-20], "no tar": no_tar, "no archive": b"words"}[kind]
    digest = "a" * 64
    kept = release.cache_folder()
    if cached:
        kept.mkdir(parents=True)
        (kept / f"{digest}.tar.zst").write_bytes(content)
    with pytest.raises(UserError, match=f"release {digest} (has the digest|is damaged: )") as error:
        release.unpacked(Bucket(content), digest)
    assert len(error.value.message.splitlines()) == 1
    assert list(kept.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ("config:\n  slipway:jobs: {enabled: true}\n", ("server", "control", "jobs")),
        ("config:\n  slipway:jobs: {enabled: false}\n", ("server", "control")),
        ("config:\n  slipway:pipeline: {enabled: true}\n", ("server", "control", "airflow", "training")),
        ("config:\n  slipway:fleet: {desired: 2}\n", ("server", "control")),
        ("", ("server", "control")),
    ],
)
def test_a_release_of_what_is_off_by_default_is_built_only_where_a_stack_wants_it(
    checkout: Path, settings: str, kinds: tuple[str, ...]
) -> None:
    (checkout / "Pulumi.some.yaml").write_text(settings)
    assert release.wanted() == kinds
