"""What a resource type has to say for itself. Everything that the engine asks beyond this is answered in one place.

How to add a type is in README.md beside this file.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

from localcloud.provider.call import Call
from localcloud.provider.schema import REGION, Fields

Args = Mapping[str, Any]
State = Mapping[str, Any]


class Resource:
    """One resource type. `create`, `read` and `delete` must be given; `update` unless every change replaces.

    `outputs` are the computed properties that are no inputs; `volatile` those that an update may change;
    `secrets` the outputs (or inputs) that are secret however they came.
    """

    token: ClassVar[str]
    inputs: ClassVar[Fields]
    outputs: ClassVar[tuple[str, ...]] = ()
    volatile: ClassVar[tuple[str, ...]] = ()
    secrets: ClassVar[tuple[str, ...]] = ()
    regional: ClassVar[bool] = True
    delete_before_replace: ClassVar[bool] = False

    @cached_property
    def fields(self) -> Fields:
        """The inputs, with those that every type of its kind has."""
        return {**self.inputs, **(REGION if self.regional else {})}

    @cached_property
    def properties(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.fields, *self.outputs)))

    @cached_property
    def secret_names(self) -> tuple[str, ...]:
        return (*self.secrets, *(name for name, spec in self.fields.items() if spec.secret))

    def unsettled(self, changed: frozenset[str]) -> Iterable[str]:
        """What a preview cannot know of an update of these inputs."""
        return self.volatile if changed else ()

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        """Problems that no single input shows, as (property path, reason). Values may be UNKNOWN."""
        return ()

    def replaces(self, old: State, new: Args) -> Iterable[str]:
        """Changed inputs that force a replacement here, though not always."""
        return ()

    def create(self, call: Call, args: Args) -> str:
        """The one call that makes it, and its id. Nothing that can fail may follow in here: that is `configure`'s."""
        raise NotImplementedError

    def configure(self, call: Call, id: str, args: Args) -> None:
        """What a new resource still needs, waiting included. Idempotent: the next update completes what failed."""

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        """All that AWS says of it, inputs by their names and `outputs`; None when it does not exist.

        `state` is what the engine knows, inputs included; empty but for the id when importing. An `id` in the answer
        is the real one, where an import may name it differently.
        """
        raise NotImplementedError

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        """Makes `changed`, names of inputs, so. The state is read afterwards."""
        raise NotImplementedError

    def delete(self, call: Call, id: str, state: State) -> None:
        """Deletes it and waits until it is gone. That it does not exist is no error, in whatever way AWS says so."""
        raise NotImplementedError
