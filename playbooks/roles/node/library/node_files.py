#!/usr/bin/python3
"""Keeps a list of files as they should be, root's own, all in one call: content, mode, owner, and their folders.

One call, because each module costs a node half a second of its processor, and a node has thirty files. Each file is
replaced whole, so that who reads it at that moment reads the old one or the new one.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: node_files
short_description: Keeps the files of a node
description: Writes each file whose content, mode or owner differs, and makes its folder. Supports check mode and diff.
options:
  files:
    description: The files, each with path, mode (octal text) and content.
    type: list
    elements: dict
    required: true
"""

ROOT = 0
FOLDER_MODE = 0o755

Diff = dict[str, str]


def keep(files: list[dict[str, str]], check: bool) -> tuple[list[str], list[Diff]]:
    """The paths that have changed, or would have, and the difference that each makes."""
    changed: dict[str, list[Diff]] = {}
    for folder in sorted({Path(file["path"]).parent for file in files}):
        if diffs := _keep_folder(folder, check):
            changed[str(folder)] = diffs
    for file in files:
        if diffs := _keep_file(file, check):
            changed[file["path"]] = diffs
    return list(changed), [diff for diffs in changed.values() for diff in diffs]


def _keep_folder(folder: Path, check: bool) -> list[Diff]:
    now = _attributes(folder)
    if now == _described(FOLDER_MODE):
        return []
    if not check:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(FOLDER_MODE)
        os.chown(folder, ROOT, ROOT)
    return [_difference(folder, now, _described(FOLDER_MODE))]


def _keep_file(file: dict[str, str], check: bool) -> list[Diff]:
    path, mode = Path(file["path"]), int(file["mode"], 8)
    regular = path.is_file() and not path.is_symlink()
    content = path.read_bytes().decode(errors="replace") if regular else ""
    diffs = list(_differences(path, (_attributes(path), content), (_described(mode), file["content"])))
    if diffs and not check:
        _replace(path, file["content"], mode)
    return diffs


def _differences(path: Path, before: tuple[str, str], after: tuple[str, str]) -> Iterator[Diff]:
    for old, new in zip(before, after, strict=True):
        if old != new:
            yield _difference(path, old, new)


def _difference(path: Path, before: str, after: str) -> Diff:
    return {"before_header": str(path), "after_header": str(path), "before": before, "after": after}


def _attributes(path: Path) -> str:
    """Mode and owner in a line, as a difference shows them; empty for what is not there."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return ""
    kind = "link, " if stat.S_ISLNK(status.st_mode) else ""
    return f"{kind}{_described(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)}"


def _described(mode: int, user: int | None = None, group: int | None = None) -> str:
    user, group = ROOT if user is None else user, ROOT if group is None else group
    return f"mode {mode:04o}, owner {user}:{group}\n"


def _replace(path: Path, content: str, mode: int) -> None:
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content.encode())
            os.fchmod(descriptor, mode)
            os.fchown(descriptor, ROOT, ROOT)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def main() -> None:
    file = {name: {"type": "str", "required": True} for name in ("path", "mode", "content")}
    spec: dict[str, Any] = {"files": {"type": "list", "elements": "dict", "options": file, "required": True}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    try:
        paths, diff = keep(module.params["files"], module.check_mode)
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=bool(paths), paths=paths, diff=diff)


if __name__ == "__main__":
    main()
