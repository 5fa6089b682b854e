"""RDS instances."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from localcloud.model import Database

MEMORY_MIB = 1024


def database(found: Any) -> Database:
    secret = found.master_user_secret.secret_arn if found.manage_master_user_password else None
    kind = INSTANCE_TYPES.get(found.db_instance_class.removeprefix("db."))
    return Database(
        id=found.db_instance_identifier,
        status=found.status,
        engine=found.engine,
        engine_version=found.engine_version,
        host=found.host,
        address=IPv4Address(found.interface.private_ip_address),
        subnet_cidr=IPv4Network(found.interface.subnet.cidr_block),
        port=int(found.port),
        database=found.db_name,
        master_user=found.master_username,
        master_secret_arn=secret,
        security_group_ids=tuple(found.vpc_security_group_ids),
        memory_mib=int(kind["MemoryInfo"]["SizeInMiB"]) if kind else MEMORY_MIB,
    )
