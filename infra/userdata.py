"""Owns the user data of a node: its facts, its operators' keys, and the bootstrap that fetches all its other files.

Those are in the bundle of its role, which user data names by digest: a changed file is another launch template.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

import contract
from contract.node_files import Role, node_files

MAXIMUM_BYTES = 16 * 1024
"""Of user data before base64: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html"""

SHARED_FACTS = frozenset({"stack", "role", "region", "bucket", "deployment_parameter", "watcher_key_parameter"})
DATABASE_FACTS = frozenset({"database_host", "database_port", "database_name", "database_secret_arn"})
"""Of a node that makes roles there: see `infra/components/database.py`."""
SERVING_FACTS = SHARED_FACTS | {"prediction_log", "jobs"}
WORKER_FACTS = SERVING_FACTS | {"launch_hook"}
TRACKING_FACTS = (
    SHARED_FACTS
    | DATABASE_FACTS
    | {
        "tracking_parameter",
        "watcher_secret_arn",
        "control_release",
        "delivery",
        "url",
        "mlflow_admin_secret_arn",
        "mlflow_allowed_hosts",
        "orders",
    }
)
BROKER_FACTS = SHARED_FACTS | DATABASE_FACTS | {"jobs"}
PIPELINE_FACTS = (
    SHARED_FACTS
    | DATABASE_FACTS
    | {
        "tracking_parameter",
        "mlflow_admin_secret_arn",
        "mlflow_url",
        "delivery",
        "pipeline",
    }
)
FACTS: Mapping[Role, frozenset[str]] = {
    "serving": SERVING_FACTS,
    "worker": WORKER_FACTS,
    "tracking": TRACKING_FACTS,
    "broker": BROKER_FACTS,
    "pipeline": PIPELINE_FACTS,
}

BOOTSTRAP = f"{contract.PATHS.bin}/slipway-bootstrap"


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


def render(role: Role, facts: Mapping[str, Any], authorized_keys: Sequence[str], bundle_key: str) -> str:
    """The `#cloud-config` document of a node. It holds nothing that changes with a release or a deployment."""
    if facts.get("role") != role:
        raise ValueError(f"user data of a {role} node was given the facts of {facts.get('role')!r}")
    bootstrap = next(file for file in node_files(role) if file.path == BOOTSTRAP)
    document = {
        "disable_root": True,
        "ssh_genkeytypes": ["ed25519"],
        "ssh_authorized_keys": list(authorized_keys),
        "write_files": [
            {"path": bootstrap.path, "permissions": bootstrap.mode, "content": bootstrap.content},
            {"path": contract.PATHS.facts, "permissions": "0644", "content": facts_json(facts)},
        ],
        "runcmd": [[BOOTSTRAP, bundle_key]],
    }
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return f"#cloud-config\n{text}"


def encode(text: str) -> str:
    """Base64, as a launch template wants it. Not compressed: it is small, and so it can be read where AWS shows it."""
    if (size := len(text.encode())) > MAXIMUM_BYTES:
        raise ValueError(f"user data is {size} bytes and EC2 takes {MAXIMUM_BYTES}: fewer or shorter facts and keys")
    return base64.b64encode(text.encode()).decode()


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a literal block, so that rendered user data can be read."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
