"""`toolchain.engine` and its downloads: only the pinned engine, whole or not at all."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ops.errors import UserError
from ops.steps import Step, Steps
from toolchain import download, engine, gobuild, pins
from toolchain.download import Unreachable

PULUMI = "#!/bin/sh\necho v3.259.0\n"


@pytest.fixture
def step() -> Iterator[Step]:
    with Steps(io.StringIO()).step("Pulumi engine") as step:
        yield step


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror folder whose archive holds small scripts, pinned as the real one is."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    archive = folder / pins.ENGINE.archive
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("pulumi", "pulumi-language-python"):
            entry = tarfile.TarInfo(f"pulumi/{name}")
            entry.size = len(PULUMI)
            tar.addfile(entry, io.BytesIO(PULUMI.encode()))
    pin(monkeypatch, sha256=hashlib.sha256(archive.read_bytes()).hexdigest())
    monkeypatch.setenv(engine.MIRROR_VARIABLE, str(folder))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return folder


@pytest.fixture
def served(mirror: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(mirror)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def pin(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    monkeypatch.setattr(engine, "ENGINE", pins.Engine(**{**vars(pins.ENGINE), **values}))


def no_build(_cache: Path, _target: Path, _step: Step) -> None:
    raise AssertionError("nothing is to be built")


def leftovers(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.suffix == ".part" or path.name == "3.259.0")


def test_an_engine_from_a_mirror_folder_is_cached_by_its_version(mirror: Path, tmp_path: Path, step: Step) -> None:
    folder = engine.ensure(tmp_path / "cache", step)
    assert folder == tmp_path / "cache" / "3.259.0"
    assert {file.name for file in folder.iterdir()} == {"pulumi", "pulumi-language-python"}
    (mirror / pins.ENGINE.archive).unlink()
    assert engine.ensure(tmp_path / "cache", step) == folder, "a cached engine needs no mirror"


def test_a_mirror_may_be_a_url(served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    monkeypatch.setenv(engine.MIRROR_VARIABLE, served)
    assert (engine.ensure(tmp_path / "cache", step) / "pulumi").exists()
    assert leftovers(tmp_path / "cache") == ["3.259.0"]


def test_a_wrong_checksum_is_an_error_and_no_reason_to_build(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    pin(monkeypatch, sha256="0" * 64)
    monkeypatch.setattr(gobuild, "build", no_build)
    for place in (served, str(tmp_path / "mirror")):
        monkeypatch.setenv(engine.MIRROR_VARIABLE, place)
        with pytest.raises(UserError, match=f"sha256 is .*, expected {'0' * 64}") as caught:
            engine.ensure(tmp_path / "cache", step)
        assert "\n" not in caught.value.message
        assert leftovers(tmp_path / "cache") == []


def test_a_mirror_without_the_archive_is_an_error_that_names_the_setting(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    monkeypatch.setattr(gobuild, "build", no_build)
    (mirror / pins.ENGINE.archive).unlink()
    with pytest.raises(UserError, match=f"{engine.MIRROR_VARIABLE}={mirror}.*no such file"):
        engine.ensure(tmp_path / "cache", step)


def test_an_unreachable_site_leads_on_to_the_build(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    def build(_cache: Path, target: Path, _step: Step) -> None:
        for name in ("pulumi", "pulumi-language-python"):
            (target / name).write_text(PULUMI)
            (target / name).chmod(0o755)

    monkeypatch.delenv(engine.MIRROR_VARIABLE)
    pin(monkeypatch, site="http://127.0.0.1:9/")
    monkeypatch.setattr(gobuild, "build", build)
    assert (engine.ensure(tmp_path / "cache", step) / "pulumi").exists()
    assert step.outcome == "3.259.0, built from its Go modules"


def test_an_interrupted_run_leaves_nothing_that_the_next_takes_for_whole(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    def interrupted(_archive: Path, target: Path) -> None:
        (target / "pulumi").write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine, "unpack", interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.ensure(tmp_path / "cache", step)
    assert not (tmp_path / "cache" / "3.259.0").exists()
    assert (engine.ensure(tmp_path / "cache", step) / "pulumi").read_text() == PULUMI


def test_an_engine_that_does_not_start_never_reaches_the_cache(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    def broken(_archive: Path, target: Path) -> None:
        (target / "pulumi").write_text("#!/bin/sh\nexit 1\n")
        (target / "pulumi").chmod(0o755)

    monkeypatch.setattr(engine, "unpack", broken)
    with pytest.raises(UserError, match="does not run"):
        engine.ensure(tmp_path / "cache", step)
    assert not (tmp_path / "cache" / "3.259.0").exists()


def test_a_full_disk_is_said(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    def full(_archive: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine, "unpack", full)
    with pytest.raises(UserError, match="No space left on device") as caught:
        engine.ensure(tmp_path / "cache", step)
    assert "free some space" in caught.value.hint


def test_the_users_own_engine_is_taken_when_it_is_new_enough(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for name in ("pulumi", "pulumi-language-python"):
        (own / name).write_text("#!/bin/sh\necho v3.300.1\n")
        (own / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{own}:/usr/bin:/bin")
    assert engine.ensure(tmp_path / "cache", step) == own


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("v3.259.0", True),
        ("v3.260.0-dev.1", True),
        ("v3.258.9", False),
        ("v4.0.0", False),
        ("", False),
        ("garbage", False),
    ],
)
def test_only_the_pinned_version_or_newer_within_its_major_fits(version: str, fits: bool) -> None:
    assert engine.new_enough(version, "3.259.0") is fits


def test_nothing_of_an_archive_lands_outside_the_folder(tmp_path: Path) -> None:
    archive, target = tmp_path / "a.tar.gz", tmp_path / "in" / "deep"
    target.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../../evil"), io.BytesIO())
    engine.unpack(archive, target)
    assert [path.name for path in target.iterdir()] == ["evil"]
    assert not (tmp_path / "evil").exists()


def test_a_place_that_does_not_answer_is_unreachable_not_damaged(tmp_path: Path, step: Step) -> None:
    with pytest.raises(Unreachable):
        download.fetch("http://127.0.0.1:9", "x", "0" * 64, tmp_path / "x.part", step)


@pytest.mark.parametrize(
    ("setting", "places"),
    [
        ("", ["https://proxy.golang.org"]),
        ("https://a.example|https://b.example,direct", ["https://a.example", "https://b.example"]),
        ("off", []),
    ],
)
def test_the_places_for_go_itself_follow_goproxy(setting: str, places: list[str]) -> None:
    assert gobuild.proxies(setting) == places


def test_too_little_space_for_the_build_is_said_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gobuild, "NEEDED_GIB", 10**6)
    with pytest.raises(UserError, match="the Go build needs"):
        gobuild.check_space(tmp_path)


def test_versions_compare_as_numbers() -> None:
    assert pins.version_tuple("go1.26.8") == (1, 26, 8)
    assert pins.version_tuple("v3.259.0-dev.1+abc") == (3, 259, 0)
