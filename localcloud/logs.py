"""One log file per part, and errors in one line for `localcloud status`."""

import logging
import sys

from localcloud.state import State

PARTS = ("daemon", "ec2", "autoscaling", "dns", "firewall", "database", "balancer", "imds", "api")


def describe(error: BaseException) -> str:
    """An error in one line, with those that a group holds."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(describe(each) for each in error.exceptions)
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def log_to_files(state: State) -> None:
    """One file per part, `log/<name>.log`; libraries' warnings go to the daemon's own."""
    style = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    for name in PARTS:
        handler = logging.FileHandler(state.log(name))
        handler.setFormatter(style)
        logger = logging.getLogger(f"localcloud.{name}")
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        logger.propagate = False
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
