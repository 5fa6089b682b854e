"""The files of a node's role in one archive, named by what it holds: user data names it, first boot fetches it.

User data takes 16 KiB, and the files of a node are more than that. The name is the digest of the tar itself, so that an
operator whose zlib packs otherwise gets the same name, and no node is replaced for it.
"""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass

from contract import S3
from contract.node_files import NodeFile, Role, node_files

SUFFIX = ".tar.gz"


@dataclass(frozen=True)
class Bundle:
    """`key` is its place in the bucket, `packed` the compressed tar."""

    key: str
    packed: bytes


def bundle(role: Role) -> Bundle:
    """The bundle of the checkout: equal files give an equal key."""
    archive = tar(node_files(role))
    key = f"{S3.nodes}{hashlib.sha256(archive).hexdigest()}{SUFFIX}"
    return Bundle(key, gzip.compress(archive, compresslevel=9, mtime=0))


def tar(files: Iterable[NodeFile]) -> bytes:
    """Sorted, with no owner and no time; the paths are relative to the node's root."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for file in sorted(files, key=lambda file: file.path):
            content = file.content.encode()
            member = tarfile.TarInfo(file.path.lstrip("/"))
            member.size, member.mode = len(content), int(file.mode, 8)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()
