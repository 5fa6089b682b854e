"""A resource type for tests, with one input of every kind of behaviour, and a cloud that needs no API."""

from typing import Any, ClassVar

from localcloud.provider.call import Call
from localcloud.provider.check import Defaults, Naming, Problem, check
from localcloud.provider.cloud import Cloud
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import between, length, one_of
from localcloud.provider.schema import (
    TAGS,
    Autoname,
    Fields,
    block,
    blocks,
    boolean,
    document,
    integer,
    mapping,
    text,
    texts,
)

RULE = {"port": integer(between(1, 65535), required=True), "cidrs": texts(unordered=True), "note": text(default="none")}


class Thing(Resource):
    token = "aws:test/thing:Thing"
    inputs: ClassVar[Fields] = {
        "name": text(length(1, 20), replace=True, computed=True, autoname=Autoname()),
        "kind": text(one_of("big", "small"), required=True),
        "size": integer(between(1, 9), default=3),
        "zone": text(computed=True, replace=True),
        "enabled": boolean(),
        "policy": document(),
        "labels": mapping(),
        "rules": blocks(RULE, unordered=True),
        "steps": blocks(RULE),
        "options": block({"mode": text(), "level": integer(computed=True)}),
        "password": text(length(8, 20), secret=True, local=True),
        "members": texts(computed=True, elsewhere=True, unordered=True),
        **TAGS,
    }
    outputs = ("arn", "version")
    volatile = ("version",)

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.aws: dict[str, Any] | None = None
        self.fails: str = ""

    def _step(self, name: str) -> None:
        self.calls.append(name)
        if self.fails == name:
            raise RuntimeError(f"{name} failed")

    def create(self, call: Call, args: Args) -> str:
        self._step("create")
        self.aws = {**args, "arn": "arn:aws:x", "version": 1}
        self.aws.pop("password", None)
        return "thing-1"

    def configure(self, call: Call, id: str, args: Args) -> None:
        self._step("configure")

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        self._step("read")
        return dict(self.aws) if self.aws is not None else None

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        self._step("update")
        self.aws = {**(self.aws or {}), **{name: new.get(name) for name in changed if name != "password"}}

    def delete(self, call: Call, id: str, state: State) -> None:
        self._step("delete")


CLOUD = Cloud("http://127.0.0.1:1", "us-east-1", {"project": "slipway"})
NAMING = Naming("main", b"seed")


def call() -> Call:
    return Call(CLOUD, name="main")


def checked(
    news: dict[str, Any], olds: dict[str, Any] | None = None, naming: Naming = NAMING
) -> tuple[dict[str, Any], list[Problem]]:
    return check(Thing(), olds or {}, news, naming, Defaults("us-east-1", CLOUD.default_tags))


def good(**news: Any) -> dict[str, Any]:
    """Checked inputs of a thing that nothing is wrong with."""
    args, problems = checked({"kind": "big", **news})
    assert problems == []
    return args
