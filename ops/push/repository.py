"""A bare repository that takes pushes: its settings, its commits and its branch, asked of git itself."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.errors import UserError
from ops.push.asked import FILE, Asked, UnusableError, parse
from ops.run import Result, run

NOTHING = "0" * 40
"""How git writes that a reference is not there."""
SHORT = 10
FORCED = "receive.denyNonFastForwards"
"""git's own setting: whether nothing that is live may be left out, not even by force."""
OURS_TO_MOVE = "receive.procReceiveRefs"
"""git's own setting: which references a proc-receive hook moves, and git does not."""
LINKS = ("120000", "160000")
"""Modes of a tree's entries that lead elsewhere: symbolic links and other repositories."""


@dataclass(frozen=True)
class Repository:
    """`quarantined`: asked by a hook, while the pushed objects are not the repository's yet."""

    folder: Path
    quarantined: bool = False

    def git(self, *words: str | Path, check: bool = True, env: Mapping[str, str] | None = None) -> Result:
        command = ["git", "--git-dir", self.folder, *words]
        return run(command if self.quarantined else ["env", *forgotten(), *command], check=check, env=env)

    def setting(self, name: str, default: str = "") -> str:
        return self.git("config", "--get", name, check=False).stdout.strip() or default

    @property
    def branch(self) -> str:
        return self.setting("slipway.branch", "production")

    @property
    def reference(self) -> str:
        return f"refs/heads/{self.branch}"

    @property
    def program(self) -> str:
        """The `slipway` that does the work. Raises `UserError`."""
        if found := self.setting("slipway.program"):
            return found
        raise UserError(f"{self.folder} is not set up for pushes", "`slipway push init` makes such a repository")

    @property
    def state(self) -> Path:
        """Where pushes are written down, beside what is git's."""
        return self.folder / "slipway"

    def tip(self) -> str:
        """The commit that is live, or `NOTHING`."""
        return self.git("rev-parse", "--verify", "--quiet", self.reference, check=False).stdout.strip() or NOTHING

    def move(self, new: str, old: str, why: str) -> None:
        """Raises `CommandError` when the branch is no longer at `old`."""
        self.git("update-ref", "-m", why, self.reference, new, old)

    def contains(self, commit: str, older: str) -> bool:
        return older == NOTHING or self.git("merge-base", "--is-ancestor", older, commit, check=False).ok

    def subject(self, commit: str) -> str:
        """Its first line and its author, for people."""
        return self.git("log", "-1", "--format=%s (%an)", commit).stdout.strip()

    def asked(self, commit: str) -> Asked:
        """What the tree of this commit wants. Raises `UnusableError`."""
        found = self.git("cat-file", "blob", f"{commit}:{FILE}", check=False)
        if not found.ok:
            raise UnusableError([f"there is no {FILE} in what was pushed"])
        if "\N{REPLACEMENT CHARACTER}" in found.stdout:
            raise UnusableError([f"{FILE} is not UTF-8"])
        asked = parse(found.stdout.encode())
        if problems := [problem for path in asked.files if (problem := self._wrong(commit, path))]:
            raise UnusableError(problems)
        return asked

    def _wrong(self, commit: str, path: str) -> str:
        entry = self.git("ls-tree", commit, "--", path.rstrip("/")).stdout.split(maxsplit=1)
        if not entry:
            return f"{FILE} names {path}, which is not in what was pushed"
        return f"{FILE} names {path}, which is a link" if entry[0] in LINKS else ""

    @contextmanager
    def tree(self, commit: str) -> Iterator[Path]:
        """The files of a commit, for as long as the context lasts."""
        with tempfile.TemporaryDirectory(prefix="slipway-push-") as scratch:
            tree = Path(scratch) / "tree"
            tree.mkdir()
            place = {"GIT_INDEX_FILE": str(Path(scratch) / "index"), "GIT_WORK_TREE": str(tree)}
            self.git("read-tree", commit, env=place)
            self.git("checkout-index", "--all", env=place)
            yield tree


def forgotten() -> list[str]:
    """`env`'s options that take out what a hook was told of another state of the repository."""
    return [word for name in sorted(os.environ) if name.startswith("GIT_") for word in ("-u", name)]
