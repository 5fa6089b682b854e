"""Whether an object of the bucket is what its name says, without fetching again what was found right before.

A digest is checked once for each state of an object, which its entity tag names; what was found is kept in the cache.
"""

import hashlib
import subprocess
from pathlib import Path

from ops import cache
from ops.canonical import sha256
from ops.store import Store

CHUNK_BYTES = 1024 * 1024


def wrong(store: Store, key: str, digest: str, scratch: Path) -> str | None:
    """What is wrong with an archive that should hold a tar of this digest; None when nothing is."""
    tag = store.tag(key)
    if tag is None:
        return f"the stack's bucket has no {key}"
    known = _known(store, key, tag)
    if known.exists():
        return None
    place = scratch / "archive"
    store.get(key, place)
    actual = digest_of(place)
    place.unlink()
    if actual != digest:
        return f"{key} in the stack's bucket is not what it is called: its digest is {actual or 'that of no archive'}"
    known.parent.mkdir(parents=True, exist_ok=True)
    known.touch()
    return None


def digest_of(archive: Path) -> str | None:
    """The sha256 of the tar inside, compressed or not; None when it cannot be read to its end."""
    argv = ["zstd", "--decompress", "--stdout", "--quiet", "--pass-through", str(archive)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as zstd:
        assert zstd.stdout is not None
        found = hashlib.sha256()
        while chunk := zstd.stdout.read(CHUNK_BYTES):
            found.update(chunk)
    return None if zstd.returncode else found.hexdigest()


def _known(store: Store, key: str, tag: str) -> Path:
    return cache.folder("verified") / sha256(f"{store.region} {store.bucket} {key} {tag}".encode())[:32]
