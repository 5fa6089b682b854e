"""Deployments in the stack's bucket for tests of the operator's verbs, with archives that hold next to nothing."""

import tarfile
from io import BytesIO
from typing import Any

from click.testing import CliRunner

from contract import S3
from ops import canonical, deployment
from ops.cli import main
from ops.store import Store


def tar(**files: str) -> bytes:
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, BytesIO(text.encode()))
    return content.getvalue()


def put_archive(at: Store, prefix: str, suffix: str, content: bytes) -> str:
    digest = canonical.sha256(content)
    at.put(f"{prefix}{digest}{suffix}", content)
    return digest


def model(at: Store, name: str = "iris", version: str = "1", **more: Any) -> dict[str, Any]:
    digest = put_archive(at, S3.models, ".tar", tar(MLmodel=f"{name} {version}"))
    answers = {"expected": {"input": {}, "output": {}}, "signature": {"inputs": []}}
    return {"name": name, "version": version, "digest": digest, "default": True, **answers, **more}


def manifest(at: Store, *models: dict[str, Any], code: str = "server") -> dict[str, Any]:
    digest = put_archive(at, S3.releases, ".tar.zst", tar(code=code))
    return {"schema": 1, "release": digest, "models": list(models)}


def deployed(at: Store, *models: dict[str, Any], code: str = "server") -> str:
    made = deployment.publish(at, manifest(at, *models, code=code))
    at.point(made)
    return made


def invoke(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.stdout
