"""Files with secrets in them, on a tmpfs: replaced in one step, never open to more than their readers."""

import os
import shutil
from pathlib import Path


def write(path: Path, text: str, *, owner: str = "root", group: str = "root", mode: int = 0o600) -> bool:
    """Whether that changed it. Owner and group stay when an ordinary user runs this. Raises `OSError`."""
    if path.exists() and path.read_text() == text:
        return False
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if os.geteuid() == 0:
        shutil.chown(draft, owner, group)
    draft.chmod(mode)
    draft.replace(path)
    return True
