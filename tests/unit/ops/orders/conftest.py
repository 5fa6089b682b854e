"""A bucket in memory with S3's own conditions, and an order in it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ops.errors import UserError
from ops.orders import order as orders
from ops.orders import pack
from ops.orders.box import Box
from ops.orders.order import Order, WrongError
from ops.store import Store

COMMIT = "c" * 40
NAME = f"{COMMIT}-1"
RELEASE, DEPLOYMENT = "b" * 64, "d" * 12


@dataclass
class Bucket:
    """`down` is why it cannot be asked now."""

    objects: dict[str, bytes] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    down: str = ""


class Memory(Box):
    def __init__(self, bucket: Bucket) -> None:
        super().__init__(Store("us-east-1", "bucket", "/parameter"))
        self.bucket = bucket

    def _put(self, key: str, content: bytes, more: dict[str, str]) -> bool:
        self._asked()
        if more and key in self.bucket.objects:
            return False
        self.bucket.objects[key] = content
        self.bucket.written.append(key)
        return True

    def _get(self, name: str, file: str, most_bytes: int) -> bytes | None:
        self._asked()
        found = self.bucket.objects.get(f"orders/{name}/{file}")
        if found and len(found) > most_bytes:
            raise WrongError("it has too many bytes")
        return found

    def _listed(self, prefix: str) -> list[tuple[str, datetime]]:
        self._asked()
        begin = datetime(2026, 1, 1, tzinfo=UTC)
        ages = {key: begin + timedelta(seconds=self.bucket.written.index(key)) for key in self.bucket.objects}
        return sorted(ages.items())

    def _asked(self) -> None:
        if self.bucket.down:
            raise UserError(self.bucket.down)


@pytest.fixture
def box() -> Memory:
    return Memory(Bucket())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "lib" / "shop").mkdir(parents=True)
    (folder / "lib" / "shop" / "__init__.py").write_text("PRICE = 3\n")
    (folder / "tax.py").write_text("RATE = 1\n")
    return folder


def wanted(**more: object) -> Order:
    about: dict[str, object] = {"subject": "Another price (Ada)", "by": "ada@desk", **more}
    return Order(commit=COMMIT, **about)  # type: ignore[arg-type]


def given(box: Box, tree: Path, name: str = NAME) -> Order:
    """An order with two modules, as the pipeline node puts it there."""
    packed, digest = pack.pack(tree, ["lib/shop", "tax.py"])
    order = Order(**{**vars(wanted(modules=("lib/shop", "tax.py"))), "tree": digest})
    box.give(name, order, packed)
    return order


def live(why: str = "release bbbbbbbbbbbb is served") -> orders.Outcome:
    return orders.Outcome(outcome="live", why=why, release=RELEASE, deployment=DEPLOYMENT)
