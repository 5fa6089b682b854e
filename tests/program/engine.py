"""Runs the whole program against a recording engine: what it would have made, and with which options.

Pulumi's own mocks keep neither dependencies nor options, so this monitor keeps each request as well.
"""

import asyncio
import json
import logging
import runpy
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks, rpc
from pulumi.runtime.config import set_all_config
from pulumi.runtime.settings import get_root_resource
from pulumi.runtime.stack import run_pulumi_func

from tests.program.answers import Cloud

ROOT = Path(__file__).resolve().parents[2]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGl0IGlzIGEgdGVzdCBrZXkgYW5kIG5vdGhpbmcgZWxz operator@example.com"


@dataclass(frozen=True)
class Made:
    """One registered resource. `after` are the URNs that it waits for, `request` holds its options."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    after: frozenset[str]
    request: Any = field(repr=False, compare=False)

    @property
    def ignored(self) -> list[str]:
        return list(self.request.ignoreChanges)


@dataclass
class Recording:
    made: list[Made] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)

    def of(self, type_: str) -> list[Made]:
        return [made for made in self.made if made.type == type_]

    def one(self, type_: str, ending: str = "") -> Made:
        found = [made for made in self.of(type_) if made.name.endswith(ending)]
        assert len(found) == 1, f"{len(found)} of {type_} end with {ending!r}: {[made.name for made in self.of(type_)]}"
        return found[0]

    def cloud(self) -> list[Made]:
        """The resources that a cloud has: neither components nor the provider."""
        return [made for made in self.made if made.type.startswith("aws:")]


class RecordingMonitor(mocks.MockMonitor):
    def __init__(self, recording: Recording, answers: Mapping[str, Any]) -> None:
        super().__init__(Cloud(recording.calls, answers))
        self.recording = recording

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        inputs, _ = rpc.deserialize_properties_unwrap_secrets(request.object)
        after = frozenset(request.dependencies)
        self.recording.made.append(Made(answer.urn, request.type, request.name, inputs, after, request))
        return answer


def stack_config(stack: str) -> dict[str, Any]:
    """`Pulumi.<stack>.yaml` as it is in the checkout."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    assert isinstance(config, dict)
    return config


def as_pulumi(config: Mapping[str, Any]) -> dict[str, str]:
    """As the engine hands settings to a program: groups and lists as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


def changed(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` are by path, `fleet.desired`; None removes."""
    copy: dict[str, Any] = json.loads(json.dumps(config))
    for path, value in changes.items():
        head, *rest = path.split(".")
        place, key = copy, head if ":" in head else f"slipway:{head}"
        for step in rest:
            place, key = place.setdefault(key, {}), step
        if value is None:
            place.pop(key, None)
        else:
            place[key] = value
    return copy


def run(config: Mapping[str, Any], stack: str = "test", answers: Mapping[str, Any] | None = None) -> Recording:
    """The program's whole run, as a preview: its health checks wait for real machines, of which there are none."""
    recording = Recording()
    with _own_event_loop():
        monitor = RecordingMonitor(recording, answers or {})
        mocks.set_mocks(monitor.mocks, "slipway", stack, True, logging.getLogger(__name__), monitor)
        set_all_config(as_pulumi(config))
        asyncio.get_event_loop().run_until_complete(run_pulumi_func(lambda: _program(recording)))
    return recording


def _program(recording: Recording) -> None:
    before = list(sys.path)
    exports = getattr(get_root_resource(), "outputs")  # noqa: B009  (untyped in the SDK)
    exports.clear()  # one root lasts as long as the process
    try:
        runpy.run_path(str(ROOT / "infra"), run_name="__main__")
        pulumi.Output.all(**exports).apply(recording.exports.update)
    finally:
        sys.path[:] = before


@contextmanager
def _own_event_loop() -> Iterator[None]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        loop.close()
        asyncio.set_event_loop(None)
