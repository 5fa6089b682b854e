"""The verbs of the `slipway` command, a module for each group of them. They ask, print and choose the exit status."""
