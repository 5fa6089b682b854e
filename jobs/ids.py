"""A job's id: a UUID of version 7 (RFC 9562), so that ids are in the order of their jobs and an id tells its job's age.

The age is what tells an expired job from one that never was, after its row has gone.
"""

import os
import time
from uuid import UUID

VERSION = 7


def new() -> UUID:
    milliseconds = time.time_ns() // 1_000_000
    bits = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & 0xFFFFFFFFFFFF) << 80 | bits
    value = value & ~(0xF << 76) | VERSION << 76
    return UUID(int=value & ~(0b11 << 62) | 0b10 << 62)


def parse(text: str) -> UUID | None:
    """None when it is not the text of such an id, as we write it."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if found.version == VERSION and str(found) == text else None


def age_seconds(job: UUID) -> float:
    return time.time() - (job.int >> 80) / 1000
