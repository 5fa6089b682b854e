"""A deployment on its way from a development stack's bucket to another's, by real S3 and real processes."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from contract import S3
from ops import candidate, canonical, deployment, store
from ops.cli import main
from ops.errors import UserError
from ops.stacks import transfer
from ops.stacks.other import Other
from ops.store import Store
from tests.moto.cloud import ENVIRONMENT
from tests.moto.local_api import LocalApi
from tests.moto.operator_rig import model, put_archive, tar

# The engine, as far as a stack's outputs go: those of the stack that is asked for, if there is one.
PULUMI = """#!{python}
import json, sys
stacks = json.loads(open({file!r}).read())
name = sys.argv[sys.argv.index("--stack") + 1]
if name not in stacks:
    print(f"error: no stack named '{{name}}' found", file=sys.stderr)
    sys.exit(255)
print(json.dumps(stacks[name]))
"""


@dataclass(frozen=True)
class World:
    dev: Store
    prod: Store
    served: str
    """The deployment of the development stack."""


@pytest.fixture
def world(api: LocalApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": api.endpoint, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    stores = []
    for name in ("dev", "prod"):
        bucket = api.name(name)
        api.s3.create_bucket(Bucket=bucket)
        stores.append(Store("us-east-1", bucket, f"/{bucket}/deployment"))
        api.client("ssm").put_parameter(Name=f"/{bucket}/deployment", Value="none", Type="String")
    dev, prod = stores
    outputs = {name: vars(at) for name, at in (("dev", dev), ("prod", prod))}
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "stacks.json").write_text(json.dumps(outputs))
    engine = tools / "pulumi"
    engine.write_text(PULUMI.format(python=sys.executable, file=str(tools / "stacks.json")))
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SLIPWAY_STACK", "prod")
    monkeypatch.setattr(store, "current", lambda: prod)
    return World(dev, prod, serve(dev))


def serve(at: Store, version: str = "1") -> str:
    """A release and two models, one of them compiled too."""
    compiled = put_archive(at, S3.models, ".tar", tar(onnx=f"iris {version}"))
    models = [
        model(at, "iris", version, compiled={"digest": compiled, "reason": "faster"}),
        model(at, "wine", default=False),
    ]
    release = put_archive(at, S3.releases, ".tar.zst", tar(code="server"))
    measured = {f"iris/{version}": {"row_ms": 1.5}}
    made = deployment.publish(at, {"schema": 1, "release": release, "models": models}, measured)
    at.point(made)
    return made


def content(at: Store, key: str) -> bytes:
    body: bytes = at._s3().get_object(Bucket=at.bucket, Key=key)["Body"].read()
    return body


def keys(at: Store) -> list[str]:
    return sorted(entry["Key"] for entry in at._s3().list_objects_v2(Bucket=at.bucket).get("Contents", []))


def bring(world: World, name: str = "dev") -> str:
    return transfer.bring(world.prod, Other.named(name), None)


def test_the_same_deployment_comes_over_digest_for_digest(world: World) -> None:
    assert bring(world) == world.served
    assert keys(world.prod) == keys(world.dev)
    assert len(keys(world.prod)) == 6
    for key in keys(world.dev):
        assert content(world.prod, key) == content(world.dev, key), key
    assert candidate.measurements(world.prod, world.served) == {"iris/1": {"row_ms": 1.5}}
    assert world.prod.pointer() == "none", "bringing activates nothing"


def test_again_copies_nothing_and_a_new_version_only_what_is_new(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(world)
    fetched: list[str] = []
    plain = Other.fetch

    def fetch(self: Other, folder: Path, wanted: Any) -> dict[str, Path]:
        fetched.extend(wanted)
        return plain(self, folder, wanted)

    monkeypatch.setattr(Other, "fetch", fetch)
    assert bring(world) == world.served
    assert fetched == []
    newer = serve(world.dev, "2")
    assert bring(world) == newer
    assert len(fetched) == 2, "the model and its compiled form"


def test_a_changed_archive_in_the_other_bucket_is_refused(world: World, api: LocalApi) -> None:
    digest = world.dev.manifest(world.served)["models"][0]["digest"]
    api.s3.put_object(Bucket=world.dev.bucket, Key=f"{S3.models}{digest}.tar", Body=tar(MLmodel="another"))
    with pytest.raises(UserError, match=f"stack dev: models/{digest}.tar is not what it is called: its digest is "):
        bring(world)
    assert keys(world.prod) == [], "nothing is written of what is not right"


def test_a_changed_archive_in_this_bucket_is_refused_and_the_manifest_stays_away(world: World, api: LocalApi) -> None:
    digest = world.dev.manifest(world.served)["release"]
    api.s3.put_object(Bucket=world.prod.bucket, Key=f"{S3.releases}{digest}.tar.zst", Body=tar(code="another"))
    with pytest.raises(UserError, match="in the stack's bucket is not what it is called"):
        bring(world)
    assert not world.prod.has(f"{S3.deployments}{world.served}.json")


def test_a_changed_manifest_is_refused(world: World, api: LocalApi) -> None:
    changed = canonical.json_bytes(world.dev.manifest(world.served) | {"schema": 2})
    api.s3.put_object(Bucket=world.dev.bucket, Key=f"{S3.deployments}{world.served}.json", Body=changed)
    with pytest.raises(UserError, match=f"stack dev: the manifest of deployment {world.served} was changed"):
        bring(world)


def test_what_the_other_bucket_lacks_is_named(world: World, api: LocalApi) -> None:
    digest = world.dev.manifest(world.served)["release"]
    api.s3.delete_object(Bucket=world.dev.bucket, Key=f"{S3.releases}{digest}.tar.zst")
    with pytest.raises(UserError, match=rf"releases/{digest}.tar.zst is not there"):
        bring(world)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("staging", "stack staging: no stack named 'staging' found"),
        ("prod", "prod is this very stack"),
        ("/tmp", "/tmp has no .slipway/env"),
    ],
)
def test_a_stack_that_is_not_there_is_one_line(world: World, name: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        bring(world, name)
    assert caught.value.message == told


def test_a_stack_that_serves_nothing_yet_gives_nothing(world: World) -> None:
    empty = canonical.json_bytes({"schema": 1, "release": "a" * 64, "models": []})
    world.dev.put(f"{S3.deployments}{deployment.identify(empty)}.json", empty)
    world.dev.point(deployment.identify(empty))
    with pytest.raises(UserError, match="serves no model"):
        bring(world)


def test_another_checkout_is_asked_in_its_own_environment(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Which may have another endpoint and other credentials: none of ours reach it."""
    place = tmp_path / "checkout"
    (place / ".slipway").mkdir(parents=True)
    lines = [f"export {name}='{os.environ[name]}'" for name in (*ENVIRONMENT, "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION")]
    (place / ".slipway" / "env").write_text("\n".join([*lines, "export SLIPWAY_STACK=dev", ""]))
    monkeypatch.setenv("AWS_PROFILE", "ours-alone")
    other = Other.named(str(place))
    assert "AWS_PROFILE" not in other.environment
    monkeypatch.delenv("AWS_PROFILE")
    assert transfer.bring(world.prod, other, None) == world.served


def test_the_verb_brings_it_and_rolls_it_out_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled: list[tuple[str, str]] = []

    def roll(at: Store, steps: object, playbook: str, extra: Any, as_json: bool) -> None:
        rolled.append((playbook, extra["deployment"]))
        at.point(extra["deployment"])

    monkeypatch.setattr("ops.verbs.promote.roll", roll)
    for _ in range(2):
        done = CliRunner().invoke(main, ["promote", "--from", "dev"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    assert rolled == [("deploy.yml", world.served)]
    assert "is served already" in done.output
    assert CliRunner().invoke(main, ["promote", "--from", "dev", "iris/2"]).exit_code == 2
