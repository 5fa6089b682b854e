"""A release with modules of a user's own: the other's files and these, and nothing that would hide anything."""

import json
from pathlib import Path

import pytest

from ops import canonical, modules, node_python, release, sources
from ops.errors import UserError
from ops.release import Release
from ops.store import Store

AT = Store("us-east-1", "bucket", "/parameter")


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An unpacked release in the cache, as `release.unpacked` leaves it; compiling is the node's Python's."""
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(node_python, "identity", lambda: "a Python")
    monkeypatch.setattr(node_python, "compile_tree", lambda *_: None)
    tree = tmp_path / "tree"
    for name in ("lib/numpy/__init__.py", "lib/six.py", "src/app/__init__.py", "src/contract/__init__.py"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(f"# {name}\n")
    about = {"kind": "server", "python": "3.11"}
    (tree / "release.json").write_text(json.dumps(about, indent=2, sort_keys=True) + "\n")
    (tree / "requirements.txt").write_text("numpy==1 --hash=sha256:0\n")
    folder = release.cache_folder()
    folder.mkdir(parents=True)
    digest = canonical.write_tar_zst(tree, folder / "made")
    (folder / "made").replace(folder / f"{digest}.tar.zst")
    tree.replace(folder / digest)
    return digest


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "pushed" / "shop"
    (folder / "__pycache__").mkdir(parents=True)
    for name in ("__init__.py", "tax.py", "rates.json", "__pycache__/tax.pyc", ".hidden"):
        (folder / name).write_text(name)
    return folder


def files(made: Release, tmp_path: Path) -> dict[str, str]:
    place = tmp_path / f"unpacked-{made.digest}"
    assert canonical.read_tar_zst(Path(made.file), place) == made.digest
    return {str(each.relative_to(place)): each.read_text() for each in sorted(place.rglob("*")) if each.is_file()}


def test_it_is_the_other_release_and_the_modules(base: str, shop: Path, tmp_path: Path) -> None:
    made = modules.add(AT, base, [shop])
    before = files(Release(base, str(release.cache_folder() / f"{base}.tar.zst")), tmp_path)
    after = files(made, tmp_path)
    assert after.keys() - before.keys() == {"src/shop/__init__.py", "src/shop/tax.py", "src/shop/rates.json"}
    assert json.loads(after.pop("release.json")) == {**json.loads(before.pop("release.json")), "modules": ["shop"]}
    assert before.items() <= after.items()


def test_it_still_says_what_its_packages_were_installed_from(base: str, shop: Path) -> None:
    """Or no release could be grown out of it."""
    made = release.cache_folder() / modules.add(AT, base, [shop]).digest
    assert sources.pins(made) == sources.pins(release.cache_folder() / base) == "numpy==1 --hash=sha256:0\n"


def test_the_same_modules_give_the_same_release_without_building_it_again(
    base: str, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = modules.add(AT, base, [shop])
    monkeypatch.setattr(canonical, "write_tar_zst", None)
    assert modules.add(AT, base, [shop]) == made


def test_the_next_modules_take_the_place_of_those_before(base: str, shop: Path, tmp_path: Path) -> None:
    first = modules.add(AT, base, [shop])
    other = tmp_path / "pushed" / "tax.py"
    other.write_text("RATE = 1\n")
    second = modules.add(AT, first.digest, [other])
    assert second.digest == modules.add(AT, base, [other]).digest
    assert "src/shop/tax.py" not in files(second, tmp_path)
    assert modules.add(AT, second.digest, []).digest == base, "without any it is what it was"


def test_without_modules_before_and_now_it_is_the_other_release(base: str) -> None:
    assert modules.add(AT, base, []).digest == base


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("numpy.py", "module numpy would hide the package of that name"),
        ("six", "module six would hide the package of that name"),
        ("app", "module app would hide the server's own"),
        ("json.py", "module json would hide Python's own"),
        ("notes.txt", "is neither a Python file nor a folder"),
        ("nothing.py", "is neither a Python file nor a folder"),
    ],
)
def test_what_would_hide_something_is_refused(base: str, tmp_path: Path, name: str, told: str) -> None:
    place = tmp_path / "pushed" / name
    place.parent.mkdir(exist_ok=True)
    if "." not in name:
        place.mkdir()
    elif name != "nothing.py":
        place.touch()
    with pytest.raises(UserError, match=told):
        modules.add(AT, base, [place])


def test_a_module_from_before_may_not_stay_in_front_of_a_package_that_came_later(base: str, tmp_path: Path) -> None:
    folder = release.cache_folder() / base
    (folder / "lib" / "shop").mkdir()
    (folder / "src" / "shop.py").touch()
    other = tmp_path / "pushed" / "shop.py"
    other.parent.mkdir()
    other.touch()
    with pytest.raises(UserError, match="module shop would hide the package of that name"):
        modules.refuse(folder, ["shop.py"], [other])


def test_two_modules_of_one_name_are_refused(base: str, shop: Path) -> None:
    with pytest.raises(UserError, match="module shop would hide"):
        modules.add(AT, base, [shop, shop])


def test_a_link_is_refused(base: str, shop: Path) -> None:
    (shop / "passwords.py").symlink_to("/etc/passwd")
    with pytest.raises(UserError, match=r"shop/passwords\.py is a link"):
        modules.add(AT, base, [shop])
