"""The watcher's world as it is: MLflow on this node, the stack's bucket and pointer, and the processes it starts."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ops.rollout import hindrance, trial
from ops.rollout.history import History, Record
from ops.rollout.settings import Delivery
from ops.store import Store
from ops.watcher import children
from ops.watcher.book import Book, Page
from ops.watcher.children import Made, Rolled
from ops.watcher.events import say
from ops.watcher.registry import Registry
from ops.watcher.wish import Served


class Node:
    """What `loop.World` asks for, on a tracking node. `folder` is where its logs may be."""

    def __init__(self, at: Store, registry: Registry, delivery: Delivery, folder: Path) -> None:
        self._at, self._registry, self._delivery, self._folder = at, registry, delivery, folder
        self._book = Book(at)
        self._manifests: dict[str, Served] = {}

    def wanted(self) -> dict[str, str]:
        return self._registry.carrying(self._delivery.alias, self._delivery.models)

    def served(self) -> Served:
        """A deployment never changes, so only the newest one is read."""
        identity = self._at.pointer()
        if identity not in self._manifests:
            self._manifests = {identity: Served.of(identity, self._at.manifest(identity))}
        return self._manifests[identity]

    def tag(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        self._registry.tag(name, version, tags)

    def read(self) -> Page:
        return self._book.read()

    def write(self, page: Page) -> None:
        self._book.write(page)

    def paused(self) -> str:
        return hindrance.paused(self._at)

    def locked(self) -> str:
        return hindrance.rolling(self._at) or ("a candidate is on trial" if trial.read(self._at) else "")

    def rollouts(self) -> Iterable[Record]:
        return History(self._at).newest_first()

    def make(self, models: list[str], carrying: Collection[str]) -> Made:
        """What is served on though the alias is elsewhere has no part in it."""
        alias = self._delivery.alias
        return children.make([f"{model}@{alias}" if model in carrying else model for model in models])

    def roll(self, deployment: str, reason: str) -> Rolled:
        hear = children.Headings(deployment)
        return children.roll(children.command(deployment, reason), self._folder / "rollout.log", hear)

    def prefetch(self) -> None:
        say("fetched", release=children.prefetch())
