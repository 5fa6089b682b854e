"""PostgreSQL for MLflow: alone in the isolated subnets, its password managed by RDS, TLS forced."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from contract import PORTS
from infra.components.firewall import Firewall
from infra.components.network import Network
from infra.sections import DatabaseSettings

DATABASE = "mlflow"
MASTER = "slipway"


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    settings: DatabaseSettings
    network: Network
    firewall: Firewall


class Database(pulumi.ComponentResource):
    """`secret_arn` is of the master password, which RDS rotates; `facts` are what a node is told that makes roles."""

    identifier: pulumi.Output[str]
    host: pulumi.Output[str]
    port: pulumi.Output[int]
    database: str
    secret_arn: pulumi.Output[str]
    facts: dict[str, pulumi.Input[Any]]

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:database:Database", name, None, opts)
        settings, child, tags = args.settings, pulumi.ResourceOptions(parent=self), {"Name": f"{name}-database"}
        subnets = aws.rds.SubnetGroup(f"{name}-database", subnet_ids=args.network.isolated_ids, tags=tags, opts=child)
        parameters = aws.rds.ParameterGroup(
            f"{name}-database",
            family=f"postgres{settings.engine_version}",
            parameters=[{"name": "rds.force_ssl", "value": "1", "apply_method": "immediate"}],
            tags=tags,
            opts=child,
        )
        database = aws.rds.Instance(
            f"{name}-database",
            engine="postgres",
            engine_version=settings.engine_version,
            instance_class=settings.instance_class,
            allocated_storage=settings.storage_gib,
            max_allocated_storage=settings.storage_limit_gib,
            storage_type="gp3",
            storage_encrypted=True,
            db_name=DATABASE,
            username=MASTER,
            manage_master_user_password=True,
            port=PORTS.database,
            multi_az=settings.multi_az,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[args.firewall.groups["database"]],
            parameter_group_name=parameters.name,
            publicly_accessible=False,
            backup_retention_period=settings.backup_days,
            delete_automated_backups=not settings.protected,
            copy_tags_to_snapshot=True,
            auto_minor_version_upgrade=True,
            apply_immediately=True,  # no prediction depends on it, and `up` should mean done
            deletion_protection=settings.protected,
            skip_final_snapshot=not settings.final_snapshot,
            # The group's generated name is new whenever the stack is, so a second destroy takes another identifier.
            final_snapshot_identifier=subnets.name.apply(_final) if settings.final_snapshot else None,
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, protect=settings.protected),
        )
        self.identifier = database.identifier
        self.host, self.port, self.database = database.address, database.port, DATABASE
        self.secret_arn = database.master_user_secrets.apply(lambda secrets: str(secrets[0].secret_arn))
        self.facts = {
            "database_host": self.host,
            "database_port": self.port.apply(int),
            "database_name": self.database,
            "database_secret_arn": self.secret_arn,
        }
        self.register_outputs({"host": self.host, "port": self.port, "secret_arn": self.secret_arn})


def _final(unique: str) -> str:
    return f"{unique}-final"
