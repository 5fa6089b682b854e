"""Orders in the bucket: each object of one is written by one node, and what decides is written once.

Whose an order is says its claim: the tracking node takes it or the pipeline node withdraws it, whichever writes first.
"""

import re
from datetime import datetime
from functools import cached_property
from typing import Any

import boto3

from contract import ORDER_FILES, S3
from ops import s3
from ops.orders import order as orders
from ops.orders import pack
from ops.orders.order import Order, Outcome, WrongError
from ops.rollout.objects import CONFIG
from ops.store import Store

TAKEN, WITHDRAWN = b"taken", b"withdrawn"
LOG_BYTES = 64 * 1024
PAGES = 5
"""Of a thousand objects each: what is looked through for orders. Those that ended go after some days."""
KEY = re.compile(rf"{re.escape(S3.orders)}(?P<name>{orders.NAME.pattern})/(?P<file>[^/]+)")


class Box:
    """All of it raises `UserError` when S3 cannot be asked, and `WrongError` for what may not be there."""

    def __init__(self, at: Store) -> None:
        self.at = at

    def give(self, name: str, wanted: Order, tree: bytes) -> None:
        """The order is there from the last write on. Again is fine."""
        if tree:
            self._once(name, ORDER_FILES.tree, tree)
        self._once(name, ORDER_FILES.order, orders.content(wanted))

    def order(self, name: str) -> Order | None:
        found = self._get(name, ORDER_FILES.order, orders.MOST_BYTES)
        return None if found is None else orders.order(found)

    def tree(self, name: str) -> bytes:
        found = self._get(name, ORDER_FILES.tree, pack.TAR_BYTES)
        if found is None:
            raise WrongError("the order's modules are not there")
        return found

    def take(self, name: str) -> bool:
        """Whether it is the tracking node's now, or was already."""
        return self._once(name, ORDER_FILES.claim, TAKEN) or self.taken(name)

    def withdraw(self, name: str) -> bool:
        """Whether nobody carries it out any more."""
        return self._once(name, ORDER_FILES.claim, WITHDRAWN) or self.claim(name) == WITHDRAWN

    def taken(self, name: str) -> bool:
        return self.claim(name) == TAKEN

    def claim(self, name: str) -> bytes | None:
        found = self._get(name, ORDER_FILES.claim, len(WITHDRAWN))
        if found not in (None, TAKEN, WITHDRAWN):
            raise WrongError("the order is neither taken nor withdrawn")
        return found

    def log(self, name: str) -> str:
        return (self._get(name, ORDER_FILES.log, 2 * LOG_BYTES) or b"").decode(errors="replace")

    def write_log(self, name: str, text: str) -> None:
        self._put(_key(name, ORDER_FILES.log), text.encode(), {})

    def outcome(self, name: str) -> Outcome | None:
        found = self._get(name, ORDER_FILES.outcome, orders.MOST_BYTES)
        return None if found is None else orders.outcome(found)

    def end(self, name: str, came_of_it: Outcome) -> bool:
        """Once: returns whether this call wrote it."""
        return self._once(name, ORDER_FILES.outcome, orders.content(came_of_it))

    def open(self) -> list[str]:
        """The names of orders without an outcome, the oldest first."""
        found: dict[str, dict[str, datetime]] = {}
        for key, modified in self._listed(S3.orders):
            if match := KEY.fullmatch(key):
                found.setdefault(match["name"], {})[match["file"]] = modified
        given = {
            name: files[ORDER_FILES.order]
            for name, files in found.items()
            if ORDER_FILES.order in files and ORDER_FILES.outcome not in files
        }
        return sorted(given, key=lambda name: (given[name], name))

    def _once(self, name: str, file: str, content: bytes) -> bool:
        return self._put(_key(name, file), content, {"IfNoneMatch": "*"})

    def _put(self, key: str, content: bytes, more: dict[str, str]) -> bool:
        return s3.put(self._client, self.at.bucket, key, content, more)

    def _get(self, name: str, file: str, most_bytes: int) -> bytes | None:
        try:
            found = s3.get(self._client, self.at.bucket, _key(name, file), most_bytes)
        except s3.TooLargeError as error:
            raise WrongError(error.message) from error
        return None if found is None else found[0]

    def _listed(self, prefix: str) -> list[tuple[str, datetime]]:
        pages = self._client.get_paginator("list_objects_v2")
        with s3.asked(s3.url(self.at.bucket, prefix)):
            found = pages.paginate(Bucket=self.at.bucket, Prefix=prefix, PaginationConfig={"MaxItems": PAGES * 1000})
            return [(entry["Key"], entry["LastModified"]) for page in found for entry in page.get("Contents", [])]

    @cached_property
    def _client(self) -> Any:
        return boto3.client("s3", region_name=self.at.region, config=CONFIG)


def _key(name: str, file: str) -> str:
    return f"{S3.orders}{name}/{file}"
