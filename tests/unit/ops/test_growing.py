"""A release that is built on a node: the fleet's own, with what a model wants beside it, by the real uv."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops import canonical, growing, modules, node_python, release, sources, uv
from ops.errors import NotNowError, UserError
from ops.growing import NEEDED_BYTES
from ops.release import Release
from ops.resolution import Wish
from ops.store import Store
from tests.unit.ops.test_resolution import wheel

BASE = "b" * 64
AT = Store("us-east-1", "bucket", "/parameter")


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tracking node with the fleet's release, whose code wants numerals, pinned at 1.0; a folder is the index."""
    index = tmp_path / "index"
    index.mkdir()
    older = wheel(index, "numerals", "1.0")
    wheel(index, "numerals", "1.1")
    wheel(index, "trees", "2.0", "numerals>=1")
    for name, value in {"UV_FIND_LINKS": str(index), "UV_OFFLINE": "1", "SLIPWAY_CACHE": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    found = release.cache_folder() / BASE
    (found / "src" / "app").mkdir(parents=True)
    (found / "src" / "app" / "served.py").write_text("FLEET = True\n")
    (found / sources.ABOUT).write_text(json.dumps({"requires": ["numerals"], "packages": {"numerals": "1.0"}}))
    (found / sources.PINS).write_text(f"numerals==1.0 --hash=sha256:{older}\n")
    program = uv.find()
    monkeypatch.setattr(node_python, "on_a_node", lambda: True)
    monkeypatch.setattr(uv, "find", lambda: program)
    monkeypatch.setattr(uv, "settings", dict)
    monkeypatch.setattr(node_python, "compile_tree", lambda *_: None)
    return found


def unpacked(built: Release, place: Path) -> Path:
    assert canonical.read_tar_zst(Path(built.file), place) == built.digest
    return place


def names() -> set[str]:
    return {path.name.partition("-")[0] for path in release.cache_folder().iterdir()}


def test_it_has_the_fleets_code_and_packages_and_what_the_model_wants(base: Path, tmp_path: Path) -> None:
    tree = unpacked(growing.grown({"iris/1": Wish(["trees"])}, base), tmp_path / "tree")
    assert [path.name for path in (tree / "src").rglob("*.py")] == ["served.py"], "no code of this checkout"
    about = json.loads((tree / sources.ABOUT).read_text())
    assert about["packages"] == {"numerals": "1.0", "trees": "2.0"}
    assert about["requires"] == ["numerals"], "what a model wanted once binds no later release"
    assert {path.name for path in (tree / "lib").glob("*.dist-info")} == {
        "numerals-1.0.dist-info",
        "trees-2.0.dist-info",
    }


def test_out_of_it_grows_the_next_without_what_nobody_wants_any_more(base: Path, tmp_path: Path) -> None:
    first = growing.grown({"iris/1": Wish(["trees"])}, base)
    again = growing.grown({"iris/2": Wish(["numerals==1.1"])}, release.cache_folder() / first.digest)
    about = json.loads((unpacked(again, tmp_path / "tree") / sources.ABOUT).read_text())
    assert about["packages"] == {"numerals": "1.1"}


def test_a_users_modules_stay_in_it_and_are_still_known_as_such(base: Path, tmp_path: Path) -> None:
    """Or the next ones could not take their place."""
    about = json.loads((base / sources.ABOUT).read_text())
    (base / sources.ABOUT).write_text(json.dumps(about | {"modules": ["shop"]}))
    (base / "src" / "shop").mkdir()
    (base / "src" / "shop" / "__init__.py").write_text("PRICE = 3\n")
    tree = unpacked(growing.grown({"iris/1": Wish(["trees"])}, base), tmp_path / "tree")
    assert (tree / "src" / "shop" / "__init__.py").read_text() == "PRICE = 3\n"
    assert json.loads((tree / sources.ABOUT).read_text())["modules"] == ["shop"]


def test_modules_packages_and_modules_again_leave_what_was_named_last(base: Path, tmp_path: Path) -> None:
    """As pushes do it, one after the other: each release is made out of the one before."""
    (base / "lib").mkdir()
    for name in ("shop", "tax"):
        (tmp_path / f"{name}.py").write_text(f"# {name}\n")
    first = modules.add(AT, base.name, [tmp_path / "shop.py"])
    grown = growing.grown({"--require": Wish(["trees"])}, release.cache_folder() / first.digest)
    last = unpacked(modules.add(AT, grown.digest, [tmp_path / "tax.py"]), tmp_path / "tree")
    assert {path.name for path in (last / "src").rglob("*.py")} == {"served.py", "tax.py"}
    about = json.loads((last / sources.ABOUT).read_text())
    assert (about["modules"], about["packages"]) == (["tax.py"], {"numerals": "1.0", "trees": "2.0"})
    assert "trees==2.0" in sources.pins(last)


def test_what_was_fetched_and_what_a_killed_build_left_are_gone_afterwards(base: Path) -> None:
    for left in (".uv-1", ".building-2", ".packages-3", "old", "older"):
        (release.cache_folder() / left).mkdir()
    built = growing.grown({"iris/1": Wish(["trees"])}, base)
    kept = {path.name for path in release.cache_folder().iterdir() if path.is_dir()}
    assert {BASE, built.digest} <= kept
    assert not [name for name in kept if name.startswith(".")]
    assert len(kept & {"old", "older"}) == 1, "one beside the fleet's, so that they do not fill the disk"


def test_what_was_there_before_must_have_the_digest_that_it_had(base: Path) -> None:
    (base / sources.PINS).write_text(f"numerals==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(UserError, match=r"(?i)hash mismatch.*numerals==1\.0"):
        growing.grown({"iris/1": Wish(["trees"])}, base)


def test_a_conflict_leaves_nothing(base: Path) -> None:
    before = names()
    with pytest.raises(UserError, match="iris/1 wants numerals==9") as caught:
        growing.grown({"iris/1": Wish(["numerals==9"])}, base)
    assert not isinstance(caught.value, NotNowError)
    assert names() - before <= {"growing.lock"}


def test_without_room_nothing_is_fetched(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=NEEDED_BYTES - 1))
    monkeypatch.setattr(uv, "run", never)
    with pytest.raises(NotNowError, match=r"no room for a release in .* 2047 MiB are free, 2048 MiB are needed"):
        growing.grown({"iris/1": Wish(["trees"])}, base)


def test_a_disk_that_fills_meanwhile_is_one_line(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release.shutil, "copy", raising(OSError(errno.ENOSPC, "No space left on device")))  # type: ignore[attr-defined]
    with pytest.raises(NotNowError, match="is full: no release was built") as caught:
        growing.grown({"iris/1": Wish(["trees"])}, base)
    assert "\n" not in caught.value.message
    assert not [path for path in release.cache_folder().iterdir() if path.name.startswith(".")]


def test_a_release_that_does_not_say_what_it_is_made_from_is_refused(base: Path) -> None:
    (base / sources.PINS).unlink()
    with pytest.raises(UserError, match="release bbbbbbbbbbbb does not say what it was made from"):
        growing.grown({"iris/1": Wish(["trees"])}, base)


def never(*_: object, **__: object) -> None:
    raise AssertionError("it is not to be called")


def raising(error: Exception) -> Callable[..., None]:
    def call(*_: object, **__: object) -> None:
        raise error

    return call
