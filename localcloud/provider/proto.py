"""The engine's generated messages, without the SDK around them.

Importing `pulumi.runtime.proto` runs `pulumi/__init__.py`, which takes most of a second; the engine waits for it at
every command. The folder is loaded as a package of its own instead: its modules import each other relatively.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from localcloud.provider.errors import ProviderError

PACKAGE = "slipway_pulumi_proto"


def _load(name: str) -> Any:
    if PACKAGE not in sys.modules:
        sdk = importlib.util.find_spec("pulumi")
        if sdk is None or not sdk.submodule_search_locations:
            raise ProviderError("the Pulumi SDK is not installed", hint="run `uv sync` in the checkout")
        folder = Path(sdk.submodule_search_locations[0], "runtime", "proto")
        spec = importlib.machinery.ModuleSpec(PACKAGE, loader=None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{PACKAGE}.{name}")


engine_pb2 = _load("engine_pb2")
engine_pb2_grpc = _load("engine_pb2_grpc")
plugin_pb2 = _load("plugin_pb2")
provider_pb2 = _load("provider_pb2")
provider_pb2_grpc = _load("provider_pb2_grpc")
status_pb2 = _load("status_pb2")
