"""Compiled or native: decided once for all nodes, the same each time, and never a reason why a model is not served."""

import base64
import io
import json
import os
import signal
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from app.core import decision as decisions
from ops import canonical, compiling
from ops.compiling import Subject
from ops.run import Result, run
from ops.store import Store

AGREES = {
    "kind": "compiled",
    "reason": "agrees on 600 rows",
    "largest_difference": 1e-7,
    "tolerance": 1e-5,
    "rows_checked": 600,
    "speed": {"1": 9.5},
    "recipe": {"prefix": 0, "feed": "matrix"},
    "digest": None,
    "model": base64.b64encode(b"onnx").decode(),
}
DIFFERS = {**AGREES, "kind": "native", "reason": "compiled, it differs by 0.1", "recipe": None, "model": None}


@dataclass
class Bucket:
    objects: dict[str, bytes] = field(default_factory=dict)

    def has(self, key: str) -> bool:
        return key in self.objects

    def put(self, key: str, content: Path | bytes) -> bool:
        is_new = key not in self.objects
        self.objects.setdefault(key, content if isinstance(content, bytes) else content.read_bytes())
        return is_new

    def get(self, key: str, place: Path) -> None:
        place.write_bytes(self.objects[key])


class Here:
    """This machine's Python in the place of the node's."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders

    def path(self, place: Path) -> str:
        return str(place)

    def release(self, code: Path) -> dict[str, str]:
        return {"PYTHONPATH": str(code), "PATH": os.environ["PATH"]}

    def run(self, arguments: Sequence[str], *, env: dict[str, str], confined: bool, timeout_seconds: float) -> Result:
        assert confined, "a model's code has no rights here"
        return run([sys.executable, "-P", *arguments], env=env, timeout_seconds=timeout_seconds)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    golden = tmp_path / "golden.json"
    golden.write_text("{}")
    return Subject(digest="1" * 64, release="2" * 64, code=tmp_path / "code", files=tmp_path / "files", golden=golden)


@pytest.fixture
def decide(tmp_path: Path) -> Callable[..., Any]:
    def once(bucket: Bucket, subject: Subject, mode: compiling.Mode = "auto") -> Any:
        scratch = tmp_path / os.urandom(4).hex()
        scratch.mkdir()
        return compiling.decide(cast(Store, bucket), subject, scratch, mode)

    return once


def says(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> None:
    left = iter(answers)
    monkeypatch.setattr(compiling, "convert", lambda _: dict(next(left)))


def test_a_compiled_model_is_in_the_bucket_below_its_digest_and_named_by_the_manifest(
    subject: Subject, decide: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, AGREES)
    bucket = Bucket()
    entry = decide(bucket, subject)
    archive = bucket.objects[f"models/{entry['compiled']['digest']}.tar"]
    assert canonical.sha256(archive) == entry["compiled"]["digest"]
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert [(member.name, member.size) for member in tar] == [(decisions.MODEL, 4)]
    served = decisions.from_manifest(entry)
    assert served is not None
    assert (served.kind, served.largest_difference, served.rows_checked) == ("compiled", 1e-7, 600)
    assert "speed" not in json.dumps(entry), "what was measured would make another deployment of the same"


@pytest.mark.parametrize("first", [AGREES, DIFFERS], ids=["compiled", "native"])
def test_what_was_decided_once_is_what_every_later_deployment_says(
    first: dict[str, Any], subject: Subject, decide: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, first)
    bucket = Bucket()
    assert decide(bucket, subject) == decide(bucket, subject)


@pytest.mark.parametrize("changed", ["digest", "release", "golden"])
def test_another_model_release_or_golden_set_is_decided_for_itself(
    changed: str, subject: Subject, decide: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    says(monkeypatch, AGREES, DIFFERS)
    bucket = Bucket()
    other = tmp_path / "other"
    other.write_text("another")
    assert "compiled" in decide(bucket, subject)
    differently: Any = {changed: other if changed == "golden" else "3" * 64}
    assert "native" in decide(bucket, replace(subject, **differently))


def test_what_somebody_else_decided_meanwhile_stands(
    subject: Subject, decide: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket()

    def slow(_: Subject) -> dict[str, Any]:
        bucket.objects[subject.key] = canonical.json_bytes({**DIFFERS, "model": None})
        return dict(AGREES)

    monkeypatch.setattr(compiling, "convert", slow)
    assert "native" in decide(bucket, subject)


def test_never_is_never(subject: Subject, decide: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch)
    assert decide(Bucket(), subject, "never") == {"native": {"reason": "its deployment was made with --compile never"}}


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})", "ended by signal 11"),
        ("raise MemoryError", "the converter failed: MemoryError"),
        ("import time; time.sleep(600)", "compiling took longer than"),
        ("", "left no decision"),
        ("print('{')", "left no decision"),
    ],
)
def test_a_converter_that_goes_wrong_leaves_the_original_for_this_time(
    program: str, reason: str, subject: Subject, decide: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (subject.code / "app").mkdir(parents=True)
    (subject.code / "app" / "__init__.py").touch()
    (subject.code / "app" / "convert.py").write_text(program)
    monkeypatch.setattr(compiling, "NodePython", Here)
    monkeypatch.setattr(compiling, "SECONDS", 1.0 if "sleep" in program else 60.0)
    bucket = Bucket()
    assert reason in decide(bucket, subject)["native"]["reason"]
    assert bucket.objects == {}, "the next deployment tries again"


@pytest.mark.parametrize(
    ("entry", "auto", "never"),
    [
        ({"compiled": {"digest": "1"}}, True, False),
        ({"native": {"reason": "compiled, it differs by 0.1"}}, True, True),
        ({"native": {"reason": "the converter failed: MemoryError", "undecided": True}}, False, True),
        ({"native": {"reason": compiling.NEVER}}, False, True),
        ({}, False, False),
    ],
)
def test_an_entry_is_taken_over_if_it_would_be_decided_so_again(entry: Any, auto: bool, never: bool) -> None:
    assert (compiling.stands(entry, "auto"), compiling.stands(entry, "never")) == (auto, never)
