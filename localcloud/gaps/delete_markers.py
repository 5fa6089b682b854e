"""Delete markers that can be deleted, like any version of an object.

Where versioning is suspended, moto drops all versions of an object at once, and asks a marker among them to free its
bytes, which it has not.
Fixed when such a bucket can be emptied without this module.
"""

from typing import Any

from moto.s3.models import FakeDeleteMarker

from localcloud.gaps.patch import add


def dispose(_self: Any) -> None:
    """A marker holds nothing."""


def install() -> None:
    add(FakeDeleteMarker, dispose)
