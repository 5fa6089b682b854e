"""While an image is built: `unpack FOLDER LINK` unpacks the one release in /releases into FOLDER, as a node does.

The archive is named by its digest, and what has another one makes no image.
"""

import sys
from pathlib import Path

from slipway_node.fetch import unpack

RELEASES = Path("/releases")
SUFFIX = ".tar.zst"


def main(folder: Path, link: Path | None) -> None:
    (archive,) = RELEASES.glob(f"*{SUFFIX}")
    digest = archive.name.removesuffix(SUFFIX)
    place = folder / digest
    place.mkdir(parents=True)
    actual = unpack(archive, place)
    if actual != digest:
        sys.exit(f"{archive} is not what it is called: its digest is {actual}")
    if link:
        link.symlink_to(place)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
