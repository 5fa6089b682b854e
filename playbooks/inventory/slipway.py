#!/usr/bin/env python3
"""Ansible's executable inventory: everything is in `ops.inventory`; this only finds the checkout."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ops.errors import reported
from ops.inventory import Access, inventory

if __name__ == "__main__":
    with reported("inventory"):
        print(json.dumps(inventory(Access.from_environment()), indent=2))
