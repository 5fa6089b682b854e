"""The cache of images: which stay when another recipe's is built."""

import os
from pathlib import Path

from localcloud.image import Image, prune


def an_image(cache: Path, name: str, used: int) -> Image:
    image = Image(cache)
    image.digest, image.folder, image.root = name, cache / name, cache / name / "root"
    (image.root / "etc").mkdir(parents=True)
    (cache.parent / "postgres" / name).mkdir(parents=True)
    os.utime(image.folder, (used, used))
    return image


def test_the_new_image_and_the_one_used_last_before_it_stay(tmp_path: Path) -> None:
    cache = tmp_path / "image"
    for name, used in (("old", 300), ("older", 200), ("oldest", 100), ("new", 50)):
        an_image(cache, name, used)
    (cache / "building").mkdir()
    prune(cache, "new")
    assert {path.name for path in cache.iterdir()} == {"new", "old", "building"}
    assert {path.name for path in (tmp_path / "postgres").iterdir()} == {"new", "old"}


def test_an_image_in_use_stays(tmp_path: Path) -> None:
    cache = tmp_path / "image"
    an_image(cache, "old", 300)
    in_use = an_image(cache, "older", 200)
    with in_use.held():
        os.utime(in_use.folder, (200, 200))
        prune(cache, "new")
        assert in_use.ready
    prune(cache, "new")
    assert not in_use.ready


def test_using_an_image_makes_it_the_one_used_last(tmp_path: Path) -> None:
    image = an_image(tmp_path / "image", "kept", 100)
    image.ensure(print)
    assert image.folder.stat().st_mtime > 100
