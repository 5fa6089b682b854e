"""RDS instances that take time, at an address of their subnet, with RDS's refusals.

Moto's are available at once, at a made-up host, of any engine version, and gone within the call. Here an instance is
`creating` (without an endpoint) and `deleting` until whoever runs the database says otherwise by `settle`.
Fixed when moto answers `creating` to create_db_instance and refuses EngineVersion 99.
"""

import hashlib
from typing import Any

from moto.ec2.models import ec2_backends
from moto.rds.exceptions import InvalidParameterCombination, RDSClientError
from moto.rds.models import DBInstance, RDSBackend

from localcloud.gaps import database_checks
from localcloud.gaps.patch import AnyFunction, replace, replace_property


def settle(backend: Any, database_id: str, status: str, reason: str = "") -> None:
    """What became of the database. `deleting` said by whoever runs it means that it is gone."""
    database = backend.databases.get(database_id)
    if database is None:
        return
    if database.status == "deleting":
        if status == "deleting":
            _forget(backend, database_id)
        return
    database.status, database.status_reason = status, reason


def _create(original: AnyFunction, self: Any, db_kwargs: Any) -> Any:
    database_checks.check(self, db_kwargs)
    if db_kwargs.get("engine") == "postgres":
        db_kwargs["engine_version"] = database_checks.version(db_kwargs.get("engine_version"))
    database = original(self, db_kwargs)
    database.status = "creating"
    digest = hashlib.sha256(f"{self.account_id}{self.region_name}".encode()).hexdigest()
    database.host = f"{database.db_instance_identifier}.c{digest[:11]}.{self.region_name}.rds.amazonaws.com"
    database.dbi_resource_id = f"db-{hashlib.sha256(database.host.encode()).hexdigest()[:26].upper()}"
    _place(self, database, db_kwargs.get("availability_zone"))
    return database


def _place(backend: Any, database: Any, zone: str | None) -> None:
    """A network interface in one subnet of the group: the database's address, and what keeps the subnet in use."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    group = getattr(database, "db_subnet_group", None)
    subnets = list(group._subnets) if group else list(ec2.get_default_subnets().values())
    subnet = next((subnet for subnet in subnets if zone in (None, subnet.availability_zone)), None)
    if subnet is None:
        del backend.databases[database.db_instance_identifier]
        raise InvalidParameterCombination(f"The DB subnet group has no subnet in {zone}.")
    eni = ec2.create_network_interface(
        subnet, None, group_ids=list(database.vpc_security_group_ids), description="RDSNetworkInterface"
    )
    eni.status, eni.requester_managed, eni.requester_id = "in-use", True, "amazon-rds"
    database.interface, database.availability_zone = eni, subnet.availability_zone


def _modify(original: AnyFunction, self: Any, db_instance_identifier: str, db_kwargs: Any) -> Any:
    database = self.describe_db_instances(db_instance_identifier)[0]
    if database.status in ("creating", "deleting"):
        raise RDSClientError(
            "InvalidDBInstanceState", f"Database instance is not in available state: it is {database.status}."
        )
    if db_kwargs.get("engine_version"):
        db_kwargs["engine_version"] = database_checks.upgrade(
            database.engine_version, database_checks.version(db_kwargs["engine_version"]), db_kwargs
        )
    database = original(self, db_instance_identifier, db_kwargs)
    if groups := db_kwargs.get("vpc_security_group_ids"):
        ec2 = ec2_backends[self.account_id][self.region_name]
        database.interface._group_set = [ec2.get_security_group_from_id(group) for group in groups]
    return database


_moto_delete: AnyFunction


def _delete(
    _original: AnyFunction,
    self: Any,
    db_instance_identifier: str,
    *,
    final_db_snapshot_identifier: str | None = None,
    skip_final_snapshot: bool | None = False,
    delete_automated_backups: bool | None = True,
) -> Any:
    database = self.describe_db_instances(db_instance_identifier)[0]
    if database.status == "deleting":
        raise RDSClientError("InvalidDBInstanceState", f"Instance {db_instance_identifier} is already being deleted.")
    if database.deletion_protection:
        raise InvalidParameterCombination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again."
        )
    if skip_final_snapshot and final_db_snapshot_identifier:
        raise InvalidParameterCombination(
            "FinalDBSnapshotIdentifier can not be specified when deleting a DB instance with SkipFinalSnapshot enabled."
        )
    if not skip_final_snapshot and not final_db_snapshot_identifier:
        raise InvalidParameterCombination(
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
        )
    if final_db_snapshot_identifier:
        self.create_db_snapshot(db_instance_identifier, final_db_snapshot_identifier, snapshot_type="manual")
    database.status = "deleting"
    database.delete_automated_backups = delete_automated_backups
    return database


def _forget(backend: Any, database_id: str) -> None:
    database = backend.databases[database_id]
    backend_ec2 = ec2_backends[backend.account_id][backend.region_name]
    if database.interface.id in backend_ec2.enis:
        backend_ec2.delete_network_interface(database.interface.id)
    _moto_delete(
        backend, database_id, skip_final_snapshot=True, delete_automated_backups=database.delete_automated_backups
    )


def _endpoint(before: AnyFunction, self: Any) -> Any:
    return None if self.status == "creating" else before(self)


def _address(before: AnyFunction, self: Any) -> Any:
    return getattr(self, "host", None) or before(self)


def _delete_subnet_group(original: AnyFunction, self: Any, subnet_name: str) -> Any:
    if any(
        getattr(database, "db_subnet_group", None) is self.subnet_groups.get(subnet_name)
        for database in self.databases.values()
    ):
        raise RDSClientError(
            "InvalidDBSubnetGroupStateFault",
            f"Cannot delete the subnet group '{subnet_name}' because at least one database instance is still using it.",
        )
    return original(self, subnet_name)


def install() -> None:
    global _moto_delete  # noqa: PLW0603  moto's own is needed again, later than the request
    _moto_delete = RDSBackend.delete_db_instance
    replace(RDSBackend, "create_db_instance", _create)
    replace(RDSBackend, "modify_db_instance", _modify)
    replace(RDSBackend, "delete_db_instance", _delete)
    replace(RDSBackend, "delete_subnet_group", _delete_subnet_group)
    replace_property(DBInstance, "endpoint", _endpoint)
    replace_property(DBInstance, "address", _address)
