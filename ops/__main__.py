"""`python -m ops` is the `slipway` command."""

from ops.cli import main

main(prog_name="slipway")
