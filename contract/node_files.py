"""The files that Slipway puts on a node, as `cloud-init/manifest.yaml` lists them, rendered.

First boot unpacks them and the Ansible role keeps them so. Both take them from here, so that what the one has made is
what the other wants, byte for byte. Not imported by `contract` itself: a server needs no templates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from jinja2 import Environment, StrictUndefined

import contract

Role = Literal["serving", "worker", "tracking", "broker", "pipeline"]

CLOUD_INIT = Path(__file__).resolve().parent.parent / "cloud-init"
# trim_blocks and the newline at the end: as in Ansible, whose templates these could be.
TEMPLATES = Environment(trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined)  # noqa: S701  (no HTML)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the manifest. `source` is relative to `cloud-init/`; `mode` is octal text."""

    source: str
    path: str
    mode: str
    roles: tuple[Role, ...]


@dataclass(frozen=True, kw_only=True)
class NodeFile:
    """A file as it is to be on the node, root's own. `path` is absolute, `mode` octal text."""

    path: str
    mode: str
    content: str


def manifest() -> list[Entry]:
    entries = yaml.safe_load((CLOUD_INIT / "manifest.yaml").read_text())
    return [Entry(**{**entry, "roles": tuple(entry["roles"])}) for entry in entries]


def node_files(role: Role) -> list[NodeFile]:
    """Every file of a node of that role, in the order of their paths."""
    variables = {"contract": yaml.safe_load(contract.FILE.read_text())}
    files = [
        NodeFile(path=entry.path, mode=entry.mode, content=_content(entry, variables))
        for entry in manifest()
        if role in entry.roles
    ]
    return sorted(files, key=lambda file: file.path)


def _content(entry: Entry, variables: Mapping[str, Any]) -> str:
    text = (CLOUD_INIT / entry.source).read_text()
    return TEMPLATES.from_string(text).render(variables) if entry.source.endswith(".j2") else text
