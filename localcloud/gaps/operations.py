"""Moto's look-ups of services and operations, remembered: it makes them anew for every request.

It lists its own folder to find a service, then a response class's hundreds of methods to find an operation: about half
of the time that a small call takes.
Fixed when `list_of_moto_modules` and `method_names_from_class` are cached.
"""

from functools import cache
from typing import Any

from moto import backends
from moto.core import responses
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from localcloud.gaps.patch import AnyFunction, replace


def _backend_for_host(original: AnyFunction, self: Any, host: str | None) -> Any:
    known = self.__dict__.setdefault("known_hosts", {})
    if host not in known:
        known[host] = original(self, host)
    return known[host]


def install() -> None:
    modules = list(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    responses.method_names_from_class = cache(responses.method_names_from_class)
    replace(DomainDispatcherApplication, "get_backend_for_host", _backend_for_host)
