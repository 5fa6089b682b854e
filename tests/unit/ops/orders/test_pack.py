"""The modules of an order, there and back; and tars that nobody here would have made."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ops import canonical
from ops.errors import UserError
from ops.orders import pack
from ops.orders.order import WrongError


def tar(make: Callable[[tarfile.TarFile], None]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as archive:
        make(archive)
    return target.getvalue()


def member(name: str, content: bytes = b"", **more: object) -> Callable[[tarfile.TarFile], None]:
    def make(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        for key, value in more.items():
            setattr(info, key, value)
        archive.addfile(info, io.BytesIO(content))

    return make


def twice(once: Callable[[tarfile.TarFile], None]) -> Callable[[tarfile.TarFile], None]:
    def make(archive: tarfile.TarFile) -> None:
        once(archive)
        once(archive)

    return make


def test_what_is_packed_is_unpacked(tree: Path, tmp_path: Path) -> None:
    (tree / "lib" / "shop" / "__pycache__").mkdir()
    (tree / "lib" / "shop" / "__pycache__" / "x.pyc").touch()
    (tree / "lib" / "other.py").touch()
    (tree / "tax.py").chmod(0o755)
    packed, digest = pack.pack(tree, ["lib/shop/", "tax.py"])
    pack.unpack(packed, digest, tmp_path / "out")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"lib/shop/__init__.py", "tax.py"}
    assert (tmp_path / "out" / "tax.py").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out" / "lib" / "shop" / "__init__.py").read_text() == "PRICE = 3\n"


def test_the_same_modules_have_the_same_digest_whatever_else_is_there(tree: Path) -> None:
    before = pack.pack(tree, ["tax.py"])
    (tree / "more.py").touch()
    assert pack.pack(tree, ["tax.py"]) == before


def test_a_link_among_them_is_refused_by_the_giver(tree: Path) -> None:
    (tree / "lib" / "shop" / "passwords.py").symlink_to("/etc/passwd")
    with pytest.raises(UserError, match=r"shop/passwords\.py is a link"):
        pack.pack(tree, ["lib/shop"])


def test_too_much_is_refused_by_the_giver(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "MOST_FILES", 1)
    with pytest.raises(UserError, match="the modules are 2 files with 0 MiB: 1 with 16 MiB are taken"):
        pack.pack(tree, ["lib/shop", "tax.py"])


def test_other_bytes_than_those_that_were_ordered_are_refused(tree: Path, tmp_path: Path) -> None:
    packed, digest = pack.pack(tree, ["tax.py"])
    with pytest.raises(WrongError, match="not those of the order"):
        pack.unpack(packed.replace(b"RATE = 1", b"RATE = 2"), digest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (tar(member("x.py", type=tarfile.SYMTYPE, linkname="/etc/passwd")), "neither a file nor a folder"),
        (tar(member("x.py", type=tarfile.LNKTYPE, linkname="/etc/passwd")), "neither a file nor a folder"),
        (tar(member("x.py", type=tarfile.CHRTYPE)), "neither a file nor a folder"),
        (tar(member("x.py", type=tarfile.FIFOTYPE)), "neither a file nor a folder"),
        (tar(member("/x.py")), "no path below them"),
        (tar(member("a/../../x.py")), "no path below them"),
        (tar(member("a/x.py")), "cannot be unpacked"),
        (tar(twice(member("x.py"))), "cannot be unpacked"),
        (tar(member("x.py", b"1", mtime=1)), "more than files and folders"),
        (tar(member("x.py", b"1", uid=1)), "more than files and folders"),
        (tar(member("x.py"))[:100], "cannot be unpacked"),
        (b"no tar at all", "cannot be unpacked"),
    ],
)
def test_what_no_giver_packs_is_refused_and_leaves_nothing_outside(content: bytes, told: str, tmp_path: Path) -> None:
    folder = tmp_path / "below" / "out"
    folder.parent.mkdir()
    with pytest.raises(WrongError, match=told):
        pack.unpack(content, canonical.sha256(content), folder)
    assert {path.name for path in tmp_path.rglob("*")} <= {"below", "out", "x.py"}
    assert not (tmp_path / "x.py").exists()


def test_a_tar_that_would_fill_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "MOST_BYTES", 10)
    content = tar(member("x.py", b"a" * 11))
    with pytest.raises(WrongError, match="too many, or too large"):
        pack.unpack(content, canonical.sha256(content), tmp_path / "out")
    assert not (tmp_path / "out" / "x.py").exists()
