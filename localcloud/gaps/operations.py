"""Moto's look-up of operations, remembered: it lists a response class's methods anew for every request.

For EC2, with hundreds of them, that is most of the time a call takes.
Fixed when `moto.core.responses.method_names_from_class` is cached.
"""

from functools import cache

from moto.core import responses


def install() -> None:
    responses.method_names_from_class = cache(responses.method_names_from_class)
