"""`python3 -m toolchain` sets everything up; `… engine --from build` makes the engine anew, in one way only."""

import argparse

from ops.cache import folder
from ops.errors import reported
from ops.lock import exclusive
from ops.steps import Steps
from toolchain import engine, setup


def main() -> None:
    parser = argparse.ArgumentParser(prog="toolchain", description="Sets up what Slipway runs on.")
    verbs = parser.add_subparsers(dest="verb")
    everything = verbs.add_parser("setup", help="system packages, Python packages and the engine (default)")
    everything.add_argument("--without-machines", action="store_true", help="leave out what the local cloud needs")
    only = verbs.add_parser("engine", help="make the engine anew, in one way")
    only.add_argument("--from", dest="way", choices=engine.WAYS, required=True)
    arguments = parser.parse_args()
    with reported("toolchain"):
        if arguments.verb == "engine":
            make_engine(arguments.way)
        else:
            setup.setup(Steps(), machines=not getattr(arguments, "without_machines", False))


def make_engine(way: engine.Way) -> None:
    cache = folder("toolchain")
    with Steps().step("Pulumi engine") as step, exclusive(cache / "lock", "toolchain", waiting=step.say):
        print(engine.ensure(cache, step, (way,)))


if __name__ == "__main__":
    main()
