"""What user data itself does at first boot: fetch the node's files, look whether they are what was meant, unpack."""

import gzip
import json
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contract.node_files import CLOUD_INIT, node_files
from infra import bundle


@pytest.fixture
def bootstrap() -> Any:
    loader = SourceFileLoader("bootstrap", str(CLOUD_INIT / "bin" / "slipway-bootstrap"))
    spec = spec_from_loader("bootstrap", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_what_it_unpacks_is_every_file_with_its_mode(bootstrap: Any, tmp_path: Path) -> None:
    made, files = bundle.bundle("serving"), node_files("serving")
    (tmp_path / "etc/nginx").mkdir(parents=True)
    (tmp_path / "etc/nginx/nginx.conf").write_text("Debian's own\n")
    for _ in ("at first boot", "and once more"):
        assert bootstrap.install(bootstrap.verified(made.packed, made.key), tmp_path) == len(files)
    for file in files:
        place = tmp_path / file.path.lstrip("/")
        assert place.read_text() == file.content
        assert place.stat().st_mode & 0o7777 == int(file.mode, 8), file.path
    present = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert len(present) == len(files), "no draft stays behind"


def test_what_is_not_what_its_name_says_is_refused(bootstrap: Any) -> None:
    made = bundle.bundle("serving")
    other = gzip.compress(b"something else")
    for damaged in (made.packed[:-9], b"", b"<html>", other):
        with pytest.raises(bootstrap.DamagedError, match=made.key):
            bootstrap.verified(damaged, made.key)


def test_it_says_what_it_waits_for_and_tries_again(
    bootstrap: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [bootstrap.UnreachableError("s3://b/nodes/x: no credentials")] * 9 + [b"came"]
    paused: list[float] = []

    def fetch(*_: str) -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bytes(answer)

    monkeypatch.setattr(bootstrap, "fetch", fetch)
    monkeypatch.setattr(bootstrap.time, "sleep", paused.append)
    assert bootstrap.fetch_patiently("region", "b", "nodes/x") == b"came"
    assert paused == sorted(paused)
    assert paused[-1] == paused[-2] == 15
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["message"] for each in said] == ["s3://b/nodes/x: no credentials"] * 9


def test_a_refusal_is_a_reason_to_wait(bootstrap: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The role of a new instance is not known everywhere at once."""

    class Refusing:
        def get_object(self, **_: str) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")

    monkeypatch.setitem(sys.modules, "awscli", object())
    monkeypatch.setattr("botocore.session.Session.create_client", lambda *_, **__: Refusing())
    with pytest.raises(bootstrap.UnreachableError, match=r"s3://bucket/nodes/x: .*AccessDenied"):
        bootstrap.fetch("us-east-1", "bucket", "nodes/x")
