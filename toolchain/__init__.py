"""Sets up what Slipway runs on: system packages, uv and the locked Python packages, the Pulumi engine.

Runs on bare Python before anything is installed, so it imports the standard library only (and `ops` modules that do).
This file must parse on an old Python too, for it is what tells its user so.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the very reason for these lines
    sys.exit(
        f"slipway: Python {sys.version_info[0]}.{sys.version_info[1]} is too old, 3.11 is the oldest that works\n"
        "  hint: use Debian 12, Ubuntu 24.04 or newer, or `make PYTHON=/path/to/python3.11 ...`"
    )
