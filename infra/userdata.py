"""Owns the user data of a node: the files of `cloud-init/manifest.yaml`, the node's facts, and one command.

Templates see exactly `contract` and `facts`, under Ansible's own Jinja settings, because the roles install the same
files from the same manifest: what first boot writes must be what `site.yml` would write, byte for byte.
"""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from jinja2 import Environment, StrictUndefined

import contract

Role = Literal["serving", "tracking"]

ROOT = Path(__file__).resolve().parent.parent
CLOUD_INIT = ROOT / "cloud-init"
MAXIMUM_BYTES = 16 * 1024
"""Of user data before base64: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html"""

SERVING_FACTS = frozenset({"stack", "role", "region", "bucket", "deployment_parameter"})
TRACKING_FACTS = SERVING_FACTS | {
    "tracking_parameter",
    "control_release",
    "database_host",
    "database_port",
    "database_name",
    "database_secret_arn",
    "mlflow_admin_secret_arn",
    "mlflow_allowed_hosts",
}
FACTS: Mapping[Role, frozenset[str]] = {"serving": SERVING_FACTS, "tracking": TRACKING_FACTS}

BOOT = f"{contract.PATHS.bin}/slipway-boot"


@dataclass(frozen=True, kw_only=True)
class NodeFile:
    """One entry of the manifest. `source` is relative to `cloud-init/`; `mode` is octal text."""

    source: str
    path: str
    mode: str
    roles: tuple[Role, ...]

    @property
    def template(self) -> bool:
        return self.source.endswith(".j2")


def manifest() -> list[NodeFile]:
    entries = yaml.safe_load((CLOUD_INIT / "manifest.yaml").read_text())
    return [NodeFile(**{**entry, "roles": tuple(entry["roles"])}) for entry in entries]


def facts_json(facts: Mapping[str, Any]) -> str:
    """Raises `ValueError` when the keys are not exactly those that the node's role reads."""
    role = facts.get("role")
    expected = FACTS.get(role) if role else None
    if expected is None:
        raise ValueError(f"facts name the role {role!r}: it must be one of {', '.join(FACTS)}")
    missing, unknown = expected - facts.keys(), facts.keys() - expected
    if missing or unknown:
        raise ValueError(f"facts of a {role} node: missing {sorted(missing)}, unknown {sorted(unknown)}")
    return json.dumps(facts, indent=2, sort_keys=True) + "\n"


def content(file: NodeFile, facts: Mapping[str, Any]) -> str:
    text = (CLOUD_INIT / file.source).read_text()
    if not file.template:
        return text
    environment = Environment(  # noqa: S701  (configuration files, not HTML)
        trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    variables = yaml.safe_load(contract.FILE.read_text())
    return environment.from_string(text).render(contract=variables, facts=dict(facts))


def render(role: Role, facts: Mapping[str, Any], authorized_keys: Sequence[str]) -> str:
    """The `#cloud-config` document of a node. It holds nothing that changes with a release or a deployment."""
    if facts.get("role") != role:
        raise ValueError(f"user data of a {role} node was given the facts of {facts.get('role')!r}")
    files = [
        {"path": file.path, "permissions": file.mode, "content": content(file, facts)}
        for file in manifest()
        if role in file.roles
    ]
    files.append({"path": contract.PATHS.facts, "permissions": "0644", "content": facts_json(facts)})
    document = {
        "disable_root": True,
        "ssh_genkeytypes": ["ed25519"],
        "ssh_authorized_keys": list(authorized_keys),
        "write_files": files,
        "runcmd": [[BOOT]],
    }
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return f"#cloud-config\n{text}"


def encode(text: str) -> str:
    """Gzip (without a time, so that equal text is equal user data) and base64, as a launch template wants it."""
    packed = gzip.compress(text.encode(), compresslevel=9, mtime=0)
    if len(packed) > MAXIMUM_BYTES:
        raise ValueError(
            f"user data is {len(packed)} bytes compressed and EC2 takes {MAXIMUM_BYTES}: move a file of "
            "cloud-init/manifest.yaml into a release"
        )
    return base64.b64encode(packed).decode()


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a literal block, so that rendered user data can be read."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
