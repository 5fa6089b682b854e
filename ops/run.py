"""The one way Slipway starts a process and waits for it: an argv list, never a shell.

A failure raises `CommandError`, whose text holds the command to paste, the last lines it printed and a hint, because
a bare "exit status 1" sends people to read our source. Standard library only: the bootstrap runs it on bare Python.
"""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.errors import UserError

LAST_LINES = 20
STATUS_TIMEOUT = 124
STATUS_NOT_FOUND = 127


@dataclass(frozen=True)
class Result:
    """What a finished process said. `returncode` is negative when a signal ended it, 124 when its time was up."""

    stdout: str
    stderr: str
    returncode: int

    @property
    def ok(self) -> bool:
        return self.returncode == 0


class CommandError(UserError):
    """A process that failed, could not be started, or took too long. `result` is what is known of it."""

    def __init__(self, argv: Sequence[str], result: Result, reason: str, hint: str = "") -> None:
        self.argv = list(argv)
        self.result = result
        self.reason = reason
        super().__init__("\n".join([f"{reason}: {shlex.join(argv)}", *last_lines(result)]), hint)


def last_lines(result: Result, count: int = LAST_LINES) -> list[str]:
    """The end of what a process printed, indented: its stderr, or its stdout when it wrote no error."""
    text = result.stderr.strip() or result.stdout.strip()
    return [f"  | {line}" for line in text.splitlines()[-count:]]


def run(
    argv: Sequence[str | Path],
    *,
    input: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_seconds: float | None = None,
    hint: str = "",
    check: bool = True,
) -> Result:
    """Runs `argv` to its end and returns what it printed.

    `env` adds to this process's environment. Standard input is `input` or empty, never the terminal.
    Raises `CommandError` when it cannot be started or takes too long, and, with `check`, when it fails.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            input=input or "",
            env={**os.environ, **env} if env else None,
            cwd=cwd,
            timeout=timeout_seconds,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise not_started(words, cwd, error, hint) from None
    except PermissionError as error:
        raise CommandError(words, Result("", str(error), 126), f"not allowed to run {words[0]}", hint) from None
    except subprocess.TimeoutExpired as error:
        result = Result(_text(error.stdout), _text(error.stderr), STATUS_TIMEOUT)
        raise CommandError(words, result, f"no end after {timeout_seconds:g} s", hint) from None
    result = Result(done.stdout, done.stderr, done.returncode)
    if check and not result.ok:
        raise CommandError(words, result, ended(result.returncode), hint)
    return result


def not_started(words: list[str], cwd: Path | None, error: FileNotFoundError, hint: str) -> CommandError:
    missing_folder = cwd is not None and not cwd.is_dir()
    reason = f"no such folder {cwd}" if missing_folder else f"no program {words[0]}"
    return CommandError(words, Result("", str(error), STATUS_NOT_FOUND), reason, hint)


def ended(returncode: int) -> str:
    return f"ended by signal {-returncode}" if returncode < 0 else f"exit status {returncode}"


def _text(output: str | bytes | None) -> str:
    """`TimeoutExpired` carries bytes even in text mode."""
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
