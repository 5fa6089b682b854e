"""`python3 -m ops.pipelines prepare|announce|listen`: what the units of the pipeline node run."""

import sys

from ops.errors import UserError, interruptible, reported
from ops.pipelines import facts

VERBS = ("prepare", "announce", "listen")


def main(words: list[str]) -> None:
    """Raises `UserError` when what it needs is not there yet: the unit that runs it tries again."""
    match words:
        case ["prepare"]:
            from ops.pipelines import prepare

            print("changed" if prepare.prepare(facts.read()) else "kept")
        case ["announce"]:
            from ops.pipelines import airflow, announce

            print(f"announced {announce.announce(facts.read(), airflow.Airflow())}")
        case ["listen"]:
            from ops.pipelines import airflow, listener

            listener.Listener(facts.read(), airflow.Airflow()).run()
        case _:
            raise UserError(f"{' '.join(words) or 'nothing'} is no verb", f"one of {', '.join(VERBS)}")


if __name__ == "__main__":
    interruptible()
    with reported("ops.pipelines"):
        main(sys.argv[1:])
