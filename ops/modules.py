"""A release with modules of a user's own, which models that are served import: another release's files, and these.

The packages stay byte for byte, so nothing is resolved or installed, and it works wherever the release can be fetched.
Which modules are a user's is written into the release, so that the next one takes their place.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ops import bytecode, canonical, node_python, release, sources
from ops.errors import UserError
from ops.lock import exclusive
from ops.node_python import Progress
from ops.release import Release
from ops.store import Store

MADE_ANEW = ("lib", "src", sources.ABOUT)
"""Of a release. The rest stays as it is: a later build needs what this one was made from."""


def add(at: Store, base: str, modules: Sequence[Path], progress: Progress = lambda _: None) -> Release:
    """The release `base` with these modules and no others, built unless the cache has it. Raises `UserError`."""
    code = release.unpacked(at, base, progress)
    about = json.loads((code / sources.ABOUT).read_text())
    if not modules and not about.get(sources.LISTED):
        return Release(base, str(release.cache_folder() / f"{base}.tar.zst"))
    refuse(code, about.get(sources.LISTED, []), modules)
    kept = release.cache_folder()
    record = kept / f"modules-{_identity(base, modules)}.json"
    with exclusive(kept / "modules.lock", "the build of a release with modules", waiting=progress):
        return release.recorded(record) or _built(code, about, modules, record, progress)


def refuse(code: Path, before: Sequence[str], modules: Sequence[Path]) -> None:
    """Raises `UserError` for a module that is not there, or would hide another of the same name."""
    own = [path for path in (code / "src").iterdir() if path.name not in before]
    taken = {path.name.partition(".")[0]: path.parent.name for path in (*(code / "lib").iterdir(), *own)}
    for module in modules:
        name = module.name.removesuffix(".py")
        if not module.exists() or (module.is_file() and module.suffix != ".py"):
            raise UserError(f"{module} is neither a Python file nor a folder", "name what `import` finds")
        if name in sys.stdlib_module_names:
            raise UserError(f"module {name} would hide Python's own", "give it another name")
        if name in taken:
            hidden = "the server's own" if taken[name] == "src" else "the package of that name"
            raise UserError(f"module {name} would hide {hidden}", "give it another name")
        taken[name] = "src"


def _built(code: Path, about: dict[str, object], modules: Sequence[Path], record: Path, progress: Progress) -> Release:
    kept = record.parent
    with tempfile.TemporaryDirectory(dir=kept, prefix=".modules-") as folder:
        tree = Path(folder) / "tree"
        listed = about.get(sources.LISTED)
        old = set(listed) if isinstance(listed, list) else set()
        shutil.copytree(code / "src", tree / "src", ignore=_ours(code / "src", old))
        for kept_as_is in (path for path in code.iterdir() if path.name not in MADE_ANEW):
            shutil.copy(kept_as_is, tree)
        for module in modules:
            for file in files(module):
                place = tree / "src" / file.relative_to(module.parent)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)
        names = sorted(module.name for module in modules)
        content = {key: value for key, value in about.items() if key != sources.LISTED}
        content |= {sources.LISTED: names} if names else {}
        (tree / sources.ABOUT).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
        progress("compiling the modules with the node's Python")
        node_python.compile_tree(tree, progress)
        shutil.copytree(code / "lib", tree / "lib", copy_function=os.link)
        progress("packing the release")
        archive = Path(folder) / "archive"
        digest = canonical.write_tar_zst(tree, archive)
        place = kept / f"{digest}.tar.zst"
        archive.replace(place)
        if not (kept / digest).exists():
            tree.replace(kept / digest)
        return release.written(Release(digest, str(place)), record, Path(folder))


def _ours(source: Path, old: set[str]):  # type: ignore[no-untyped-def]
    """For `copytree`: leaves out earlier modules, and byte code, which is made anew."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        top = old if Path(folder) == source else set()
        return {name for name in names if name == "__pycache__" or name in top}

    return ignored


def files(module: Path) -> Iterator[Path]:
    """What of a module goes into a release: nothing hidden, and no byte code.

    Raises `UserError` for a link, which no release can hold.
    """
    for path in [module] if module.is_file() else sorted(module.rglob("*")):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(module.parent).parts)
        if path.is_symlink() and not hidden:
            raise UserError(f"{path.relative_to(module.parent)} is a link", "replace links by what they lead to")
        if path.is_file() and not hidden:
            yield path


def _identity(base: str, modules: Sequence[Path]) -> str:
    """Of what decides the release."""
    recipe = [canonical.sha256(Path(file).read_bytes()) for file in (__file__, bytecode.__file__, canonical.__file__)]
    parts = {
        str(file.relative_to(module.parent)): canonical.sha256(file.read_bytes())
        for module in modules
        for file in files(module)
    }
    names = sorted(module.name for module in modules)
    return canonical.sha256(canonical.json_bytes([base, names, parts, node_python.identity(), *recipe]))[:16]
