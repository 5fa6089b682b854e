"""`python3 -m jobs.admin`: what `slipway jobs` has a node do, which reaches the database and the broker. Prints JSON.

Its exit statuses are the contract's: by them, and not by its words, is decided what to do next.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from contract import JOBS_EXIT
from jobs import broker, config, ids
from jobs.config import ConfigError
from jobs.database import AWAY, Database
from jobs.dead import Dead
from jobs.store import Job, Store

STATES = ("queued", "running", "succeeded", "failed", "cancelled")


class RefusedError(Exception):
    """One line, for the operator."""


def main(words: Sequence[str] | None = None) -> None:
    arguments = _parser().parse_args(words)
    try:
        found = config.read()
        database = Database(found.conninfo, 2)
        database.open()
        try:
            print(orjson.dumps(_do(arguments, Store(database), Dead(found, database))).decode())
        finally:
            database.close()
    except RefusedError as error:
        print(error, file=sys.stderr)
        sys.exit(JOBS_EXIT.refused)
    except ConfigError as error:
        print(f"jobs.admin: {error}", file=sys.stderr)
        sys.exit(JOBS_EXIT.absent)
    except (*AWAY, *broker.AWAY) as error:
        sys.exit(f"jobs.admin: {type(error).__name__}: {' '.join(str(error).split())}"[:300])


def _do(arguments: argparse.Namespace, store: Store, dead: Dead) -> Any:
    match arguments.verb:
        case "list":
            jobs = [facts(job) for job in store.newest(arguments.state, arguments.count)]
            return {"counts": store.counts(), "jobs": jobs}
        case "show":
            return facts(_there(store, _id(arguments.job)))
        case "cancel":
            job = _id(arguments.job)
            if (was := store.cancel(job)) is None:
                raise RefusedError(f"job {job} has ended already: it is {_there(store, job).state}")
            return {"id": str(job), "state": "cancelled", "was": was}
        case "dead":
            rows = [facts(job) for job in store.newest("failed", arguments.count) if job.dead]
            return {"jobs": rows, "foreign": dead.foreign()}
        case "requeue":
            return {"requeued": dead.requeue([_id(each) for each in arguments.jobs])}
        case _:
            return {"dropped": dead.drop([_id(each) for each in arguments.jobs])}


def facts(job: Job) -> dict[str, Any]:
    return {**job._asdict(), "id": str(job.id)}


def _there(store: Store, job: UUID) -> Job:
    found = store.get(job)
    if found is None:
        raise RefusedError(f"there is no job {job}; what has ended is removed after the retention")
    return found


def _id(text: str) -> UUID:
    found = ids.parse(text)
    if found is None:
        raise RefusedError(f"{text[:80]} is no job's id")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="jobs.admin")
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list")
    listing.add_argument("--state", choices=STATES)
    for verb in (listing, verbs.add_parser("dead")):
        verb.add_argument("--count", type=int, default=50)
    for name in ("show", "cancel"):
        verbs.add_parser(name).add_argument("job")
    for name in ("requeue", "drop"):
        verbs.add_parser(name).add_argument("jobs", nargs="*")
    return parser


if __name__ == "__main__":
    main()
