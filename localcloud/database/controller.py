"""Keeps a PostgreSQL for each RDS instance of the API, and its master password the secret's.

Starting and removing take seconds, so each is done by a thread of its own; a turn only looks. While the file
`faults/database` exists (`localcloud fault database down`), every database is stopped, its data kept.
"""

import json
import threading
from collections.abc import Callable

from localcloud.database.postgres import Postgres
from localcloud.image import Image
from localcloud.model import Database, World
from localcloud.network import Network
from localcloud.state import State
from ops.errors import UserError


class Kept:
    """One database: what runs, what is being done about it, and the credentials it has."""

    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres
        self.credentials: tuple[str, str] | None = None
        self.removed = False
        self._work: threading.Thread | None = None
        self._error: Exception | None = None

    @property
    def busy(self) -> bool:
        return self._work is not None and self._work.is_alive()

    def do(self, act: Callable[[], None]) -> None:
        def work() -> None:
            try:
                act()
            except Exception as error:  # raised again in the next turn, where it is logged
                self._error = error

        self._work = threading.Thread(target=work, name="database", daemon=True)
        self._work.start()

    def settle(self) -> None:
        """Waits for what is being done."""
        if self._work:
            self._work.join()

    def check(self) -> None:
        """Raises what went wrong in a thread, once."""
        error, self._error = self._error, None
        if error:
            raise error


class DatabaseController:
    name = "database"

    def __init__(self, world: World, network: Network, image: Image, state: State) -> None:
        self._world, self._network, self._image, self._state = world, network, image, state
        self._kept: dict[str, Kept] = {}
        self._outage = state.faults / "database"

    def reconcile(self) -> None:
        records = {each.id: each for each in self._world.databases()}
        errors: list[Exception] = []
        for record in records.values():
            try:
                self._turn(record)
            except Exception as error:  # one database's trouble is not another's
                errors.append(error)
        for name in self._kept.keys() - records.keys():
            self._delete(name)
        if errors:
            raise errors[0] if len(errors) == 1 else ExceptionGroup("databases", errors)

    def _turn(self, record: Database) -> None:
        kept = self._kept.get(record.id)
        if record.status == "deleting":
            if kept is None or self._delete(record.id):
                self._world.set_database_status(record.id, "deleting")  # which now means: gone
            return
        if kept is None:
            if record.status == "creating" and self._secret(record):
                self._create(record)
            return
        kept.check()
        if kept.busy or kept.credentials is None:
            return
        wanted = record.status != "stopped" and not self._outage.exists()
        if kept.postgres.alive != wanted:
            kept.do(kept.postgres.start if wanted else kept.postgres.stop)
        if not kept.postgres.alive:
            return
        self._rotate(record, kept)
        if record.status == "modifying":
            self._world.set_database_status(record.id, "available")

    def _create(self, record: Database) -> None:
        kept = self._kept[record.id] = Kept(Postgres(record, self._network, self._image, self._state))
        credentials = self._secret(record)
        assert credentials is not None

        def create() -> None:
            try:
                kept.postgres.create(*credentials)
            except Exception as error:
                self._world.set_database_status(record.id, "failed", str(error))
                raise
            kept.credentials = credentials
            self._world.set_database_status(record.id, "available")

        kept.do(create)

    def _rotate(self, record: Database, kept: Kept) -> None:
        """A rotation changes the secret first; RDS then sets the password in the database."""
        credentials = self._secret(record)
        if credentials and credentials != kept.credentials:
            kept.postgres.set_password(*credentials)
            kept.credentials = credentials

    def _secret(self, record: Database) -> tuple[str, str] | None:
        """User and password as the secret has them now; None until there is one."""
        text = self._world.secret(record.master_secret_arn) if record.master_secret_arn else None
        if text is None:
            return None
        try:
            data = json.loads(text)
            return str(data.get("username", record.master_user)), str(data["password"])
        except (ValueError, KeyError) as error:
            hint = '{"username": …, "password": …} is what RDS keeps there'
            raise UserError(f"the secret of database {record.id} cannot be read: {error!r}", hint) from error

    def _delete(self, database_id: str) -> bool:
        """Whether it is gone. Its removal goes on between turns."""
        kept = self._kept[database_id]
        if kept.busy:
            return False
        kept.check()
        if kept.removed:
            del self._kept[database_id]
            return True

        def remove() -> None:
            kept.postgres.remove()
            kept.removed = True

        kept.do(remove)
        return False

    def stop(self) -> None:
        errors: list[Exception] = []
        for kept in self._kept.values():
            kept.settle()
            try:
                kept.postgres.remove()
            except Exception as error:
                errors.append(error)
        self._kept.clear()
        if errors:
            raise ExceptionGroup("databases that do not end", errors)
