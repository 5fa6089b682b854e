"""Canonical bytes: equal content gives equal digests, and nothing else of a file counts."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops import canonical
from ops.errors import UserError


def tree(folder: Path, names: list[str]) -> Path:
    """The files `names`, made in that order."""
    for name in names:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"content of {name}")
    return folder


def tarred(folder: Path) -> tuple[str, bytes]:
    target = io.BytesIO()
    return canonical.write_tar(folder, target), target.getvalue()


def test_the_order_and_times_in_which_files_were_made_do_not_count(tmp_path: Path) -> None:
    names = ["b/two", "a", "b/one", "B/three"]
    first, second = tree(tmp_path / "1", names), tree(tmp_path / "2", names[::-1])
    os.utime(second / "a", (1, 1))
    (second / "b").chmod(0o700)
    (second / "a").chmod(0o600)
    assert tarred(first) == tarred(second)


def test_content_names_and_the_right_to_execute_count(tmp_path: Path) -> None:
    digests = {tarred(tree(tmp_path / "1", ["a"]))[0], tarred(tree(tmp_path / "2", ["b"]))[0]}
    changed = tree(tmp_path / "3", ["a"])
    (changed / "a").write_text("other")
    executable = tree(tmp_path / "4", ["a"])
    (executable / "a").chmod(0o755)
    digests |= {tarred(changed)[0], tarred(executable)[0]}
    assert len(digests) == 4


def test_a_tar_names_no_owner_and_no_time(tmp_path: Path) -> None:
    _, content = tarred(tree(tmp_path / "tree", ["a", "b/" + "long" * 40]))
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = tar.getmembers()
    assert len(members) == 3
    for member in members:
        assert (member.uid, member.gid, member.uname, member.gname, member.mtime) == (0, 0, "", "", 0)
        assert member.mode in (0o755, 0o644)


def test_a_link_is_refused_because_it_may_lead_anywhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(UserError, match="neither a file nor a folder"):
        tarred(tmp_path)


def test_what_was_packed_comes_out_again_under_the_same_digest(tmp_path: Path) -> None:
    packed = tree(tmp_path / "packed", ["a", "b/c"])
    digest = canonical.write_tar_zst(packed, tmp_path / "archive")
    assert canonical.read_tar_zst(tmp_path / "archive", tmp_path / "out") == digest
    assert tarred(tmp_path / "out")[0] == digest


def test_an_archive_made_in_two_steps_is_the_one_made_in_one(tmp_path: Path) -> None:
    names = [*(f"lib/{number}/file" for number in range(40)), "release.json", "src/app/one.py"]
    whole = tree(tmp_path / "whole", names)
    first, second = tree(tmp_path / "first", names[:40]), tree(tmp_path / "second", names[40:])
    canonical.begin_tar_zst(first, tmp_path / "beginning")
    digest = canonical.end_tar_zst(tmp_path / "beginning", second, tmp_path / "archive")
    assert digest == canonical.write_tar_zst(whole, tmp_path / "of-one-piece")
    assert canonical.read_tar_zst(tmp_path / "archive", tmp_path / "out") == digest
    again = canonical.end_tar_zst(tmp_path / "beginning", tree(second, ["src/app/two.py"]), tmp_path / "archive")
    assert again != digest, "the beginning is as it was, for the next end"
    assert canonical.read_tar_zst(tmp_path / "archive", tmp_path / "other") == again


def test_an_archive_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this machine")
    large = tree(tmp_path / "tree", ["a"])
    (large / "a").write_bytes(os.urandom(4 * 1024 * 1024))
    with pytest.raises(UserError, match="zstd could not write"):
        canonical.write_tar_zst(large, Path("/dev/full"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), JSON))
def test_canonical_json_says_the_same_whatever_order_it_was_given_in(value: dict[str, object]) -> None:
    try:
        content = canonical.json_bytes(value)
    except UnicodeEncodeError:
        return  # a lone surrogate is no text
    assert canonical.json_bytes(dict(reversed(value.items()))) == content
    assert canonical.json_bytes(json.loads(content)) == content


def test_canonical_json_has_no_spaces_and_no_nan() -> None:
    assert canonical.json_bytes({"b": [1, 2.5], "a": "é"}) == '{"a":"é","b":[1,2.5]}'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical.json_bytes({"a": float("nan")})
