"""What is told of a set-up of Python packages that failed."""

import pytest

from ops.run import CommandError, Result
from toolchain.python import explained

PIP = "WARNING: Retrying (Retry(total=4)) … [Errno -3] Temporary failure in name resolution')': /simple/uv/\n"


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (PIP * 5 + "ERROR: No matching distribution found for uv", "cannot be reached: temporary failure in name"),
        (
            "error: failed to write: No space left on device (os error 28)",
            "cannot be installed: no space left on device",
        ),
    ],
)
def test_the_reason_is_one_line_with_a_way_out(output: str, says: str) -> None:
    error = explained(CommandError(["pip", "install"], Result("", output, 1), "exit status 1"))
    assert says in error.message
    assert "\n" not in error.message
    assert error.hint


def test_another_failure_keeps_the_command_and_its_last_lines() -> None:
    error = CommandError(["uv", "sync"], Result("", "error: a wheel is broken", 2), "exit status 2")
    assert explained(error) is error
