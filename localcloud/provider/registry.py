"""Which types and functions there are. A service's module is imported when the first of its tokens comes.

`aws:ec2/vpc:Vpc` is in `types/ec2`, whose `RESOURCES` lists the classes.
"""

import importlib
import pkgutil
from functools import cache

from localcloud.provider import types
from localcloud.provider.errors import ProviderError
from localcloud.provider.functions import FUNCTIONS, Function
from localcloud.provider.resource import Resource


@cache
def services() -> tuple[str, ...]:
    return tuple(module.name for module in pkgutil.iter_modules(types.__path__))


@cache
def service(name: str) -> dict[str, Resource]:
    """The types of one service by token."""
    module = importlib.import_module(f"{types.__name__}.{name}")
    classes: tuple[type[Resource], ...] = module.RESOURCES
    return {kind.token: kind() for kind in classes}


def resource(token: str) -> Resource:
    name = token.split(":")[1].split("/", maxsplit=1)[0] if token.startswith("aws:") else ""
    known = service(name) if name in services() else {}
    if token not in known:
        raise ProviderError(
            f"the provider of the local cloud has no resource type {token}",
            hint="localcloud/provider/README.md says how to add one",
        )
    return known[token]


def function(token: str) -> Function:
    known = {each.token: each for each in FUNCTIONS}
    if token not in known:
        raise ProviderError(
            f"the provider of the local cloud has no function {token}",
            hint="localcloud/provider/README.md says how to add one",
        )
    return known[token]
