"""After sudo: whose the generated files are."""

import os

from localcloud.state import State


def give_back(state: State) -> None:
    """After sudo: the user owns what the user's tools read and write; machines and databases stay root's."""
    user, group = int(os.environ.get("SUDO_UID", "0")), int(os.environ.get("SUDO_GID", "0"))
    if not user:
        return
    os.chown(state.slipway, user, group)
    for top in state.slipway.iterdir():
        if top == state.folder:
            os.chown(top, user, group)
            for file in top.glob("*.json"):
                os.chown(file, user, group)
            continue
        for path in (top, *top.rglob("*")):
            os.chown(path, user, group, follow_symlinks=False)
