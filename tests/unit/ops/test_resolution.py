"""One set of packages for the server and its models, by the real uv from an index that is a folder."""

import io
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from ops import packages, resolution, sources
from ops.errors import NotNowError, UserError
from ops.resolution import Wish


def wheel(folder: Path, name: str, version: str, *requires: str) -> str:
    """A package that holds nothing; returns its digest."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {each}\n" for each in requires)
    place = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return sha256(place.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two releases of a package and one of another; the server asks for the first, its lock has the older one."""
    older = wheel(tmp_path, "numerals", "1.0")
    wheel(tmp_path, "numerals", "1.1")
    wheel(tmp_path, "trees", "2.0", "numerals>=1.1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "requires", lambda kind, base: ["numerals>=1"])
    monkeypatch.setattr(packages, "exported", lambda _: f"numerals==1.0 --hash=sha256:{older}\n")
    return tmp_path


def pins(text: str) -> set[str]:
    return {line.split()[0] for line in text.splitlines() if line[:1].isalpha()}


@pytest.mark.usefixtures("index")
def test_what_the_lock_has_stays_where_the_model_does_not_mind() -> None:
    assert pins(resolution.resolve({"iris/1": Wish([])})) == {"numerals==1.0"}


@pytest.mark.usefixtures("index")
def test_what_the_model_wants_comes_with_what_it_needs_and_with_hashes() -> None:
    found = resolution.resolve({"iris/1": Wish(["trees"])})
    assert pins(found) == {"numerals==1.1", "trees==2.0"}
    assert found.count("--hash=sha256:") >= 2


@pytest.mark.usefixtures("index")
def test_a_constraint_binds_without_installing() -> None:
    assert pins(resolution.resolve({"iris/1": Wish([], ["numerals>1", "trees==2.0"])})) == {"numerals==1.1"}


@pytest.mark.usefixtures("index")
def test_two_models_that_exclude_each_other_are_refused_with_both_names() -> None:
    with pytest.raises(UserError, match="no set of packages satisfies") as caught:
        resolution.resolve({"iris/1": Wish(["numerals==1.0"]), "wine/3": Wish(["trees==2.0"])})
    assert "iris/1 wants numerals==1.0" in caught.value.message
    assert "wine/3 wants trees==2.0" in caught.value.message
    assert "╰" not in caught.value.message


@pytest.mark.usefixtures("index")
def test_a_package_that_no_index_has_is_named() -> None:
    with pytest.raises(UserError, match="ours"):
        resolution.resolve({"iris/1": Wish(["ours==9"])})


@pytest.mark.usefixtures("index")
def test_a_package_that_would_have_to_be_built_is_named_with_who_wants_it(index: Path) -> None:
    source = index / "roots-3.0.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        about = b"Metadata-Version: 2.1\nName: roots\nVersion: 3.0\n"
        member = tarfile.TarInfo("roots-3.0/PKG-INFO")
        member.size = len(about)
        archive.addfile(member, io.BytesIO(about))
    with pytest.raises(UserError, match="no wheel for the nodes") as caught:
        resolution.resolve({"iris/1": Wish(["roots"])})
    assert "iris/1 wants roots" in caught.value.message
    assert not isinstance(caught.value, NotNowError), "it will not have one tomorrow"


def test_an_index_that_cannot_be_reached_is_one_line_and_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setattr(sources, "requires", lambda kind, base: ["numerals>=1"])
    monkeypatch.setattr(packages, "exported", lambda _: "")
    with pytest.raises(NotNowError, match=r"127\.0\.0\.1:9/simple/\S+ cannot be read: Connection refused") as caught:
        resolution.resolve({"iris/1": Wish([])})
    assert "\n" not in caught.value.message


def test_the_server_asks_for_what_its_group_says() -> None:
    assert any(each.startswith("mlflow-skinny") for each in sources.requires("server"))
