"""`python3 -m jobs.node VERB`: what the units of a node run."""

import subprocess
import sys

from contract import UNITS
from jobs.node import announce, broker, credentials, facts, measure
from ops.errors import UserError, reported

VERBS = ("prepare", "announce", "measure", "credentials", "follow")


def main(words: list[str]) -> None:
    """Raises `UserError` when what it needs is not there yet: the unit that runs it tries again."""
    match words:
        case ["prepare"]:
            print("made" if broker.prepare() else "kept")
        case ["announce"]:
            print(f"announced {announce.announce(facts.read())}")
        case ["measure"]:
            print(f"{measure.measure(facts.read())} waiting")
        case ["credentials"]:
            print("changed" if credentials.collect(facts.read()) else "kept")
        case ["follow"]:
            if changed := credentials.follow(facts.read()):
                subprocess.run(["systemctl", "try-restart", "--no-block", UNITS.worker], check=True)
            print("another broker" if changed else "kept")
        case _:
            raise UserError(f"{' '.join(words) or 'nothing'} is no verb", f"one of {', '.join(VERBS)}")


if __name__ == "__main__":
    with reported("jobs.node"):
        main(sys.argv[1:])
