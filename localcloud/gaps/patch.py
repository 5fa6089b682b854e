"""How a gap is closed: a function or property of moto is replaced, and the new one is given the old."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

AnyFunction = Callable[..., Any]


def replace(owner: Any, name: str, new: AnyFunction) -> None:
    """`new(original, *args)` takes the place of `owner.name`. It stays a function: moto looks for those."""
    original = inspect.getattr_static(owner, name, None)
    if isinstance(original, staticmethod):
        original = original.__func__

    @functools.wraps(new)
    def method(*args: Any, **kwargs: Any) -> Any:
        return new(original, *args, **kwargs)

    method.__name__ = name
    setattr(owner, name, method)


def add(owner: Any, *functions: AnyFunction) -> None:
    """Operations that moto lacks, under their own names."""
    for function in functions:
        setattr(owner, function.__name__, function)


def replace_property(owner: Any, name: str, new: AnyFunction) -> None:
    """`new(original, self)`, where `original(self)` is what the property gave before."""
    original = inspect.getattr_static(owner, name, None)
    before = original.fget if isinstance(original, property) else lambda self: self.__dict__.get(name)
    setattr(owner, name, property(lambda self: new(before, self)))
