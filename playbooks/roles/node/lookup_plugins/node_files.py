"""`lookup('node_files', 'serving')`: every file of a node of that role, rendered as first boot's bundle has it."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))

from contract.node_files import node_files

DOCUMENTATION = """
name: node_files
short_description: The files of a Slipway node
description: Renders every file of cloud-init/manifest.yaml for one role, and returns path, mode and content of each.
options:
  _terms:
    description: "The role: serving, tracking, broker or pipeline."
    required: true
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    def run(self, terms: Sequence[Any], variables: Any = None, **kwargs: Any) -> list[list[dict[str, str]]]:  # noqa: ARG002  (Ansible calls it so)
        """One term, one list."""
        return [[asdict(file) for file in node_files(term)] for term in terms]
