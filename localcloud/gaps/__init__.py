"""Where moto differs from AWS in what this stack relies on, closed: one module per gap.

Each module says what is missing and how to tell that moto has fixed it, and its `install()` patches moto in place.
`install()` here does them all, once per process, before the first request.
"""

import importlib

GAPS = (
    "settings",
    "instance_states",
    "addresses",
    "launch_templates",
    "launches",
    "load_balancers",
    "target_health",
    "autoscaling_groups",
    "scaling_policies",
    "autoscaling_members",
    "lifecycle_hooks",
    "autoscaling_activities",
    "instance_refresh",
    "databases",
    "database_parameters",
    "dependencies",
    "security_rules",
    "buckets",
    "delete_markers",
    "console",
    "instance_connect",
    "stored_values",
    "operations",
)
_installed = False


def install() -> None:
    global _installed  # noqa: PLW0603  moto is patched per process, so the fact belongs to the process
    if _installed:
        return
    for name in GAPS:
        importlib.import_module(f"localcloud.gaps.{name}").install()
    _installed = True
