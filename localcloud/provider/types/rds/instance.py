"""Database instances. A change is made at once (`applyImmediately`) or waits for the maintenance window, as on RDS."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.errors import WaitError
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import arn, between, length, matches, one_of
from localcloud.provider.schema import TAGS, Fields, boolean, integer, text, texts
from localcloud.provider.tags import pairs
from localcloud.provider.types.rds.common import name, retag, tags

READY_SECONDS = 2400
GONE_SECONDS = 3600
FAILED = {"failed", "incompatible-parameters", "incompatible-network", "storage-full", "inaccessible-encryption"}

# Inputs that RDS takes under the same name when it makes an instance and when it changes one.
MUTABLE: Fields = {
    "instanceClass": text(matches(r"db\.\w+\.\w+", "be a class such as db.t4g.micro"), required=True),
    "allocatedStorage": integer(between(20, 65536), computed=True),
    "maxAllocatedStorage": integer(computed=True),
    "storageType": text(one_of("gp2", "gp3", "io1", "io2", "standard"), computed=True),
    "iops": integer(computed=True),
    "engineVersion": text(computed=True),
    "parameterGroupName": text(computed=True),
    "backupRetentionPeriod": integer(between(0, 35), computed=True),
    "backupWindow": text(computed=True),
    "maintenanceWindow": text(computed=True),
    "multiAz": boolean(computed=True),
    "publiclyAccessible": boolean(default=False),
    "autoMinorVersionUpgrade": boolean(default=True),
    "copyTagsToSnapshot": boolean(default=False),
    "deletionProtection": boolean(default=False),
    "caCertIdentifier": text(computed=True),
    "port": integer(between(1150, 65535), computed=True),
    "performanceInsightsEnabled": boolean(default=False),
    "vpcSecurityGroupIds": texts(computed=True, unordered=True),
}
FIXED: Fields = {
    "engine": text(one_of("postgres"), computed=True, replace=True),
    "dbName": text(
        length(1, 63), matches(r"[A-Za-z]\w*", "begin with a letter and hold letters and digits"), replace=True
    ),
    "username": text(length(1, 63), computed=True, replace=True),
    "dbSubnetGroupName": text(computed=True, replace=True),
    "availabilityZone": text(computed=True, replace=True),
    "storageEncrypted": boolean(default=False, replace=True),
    "kmsKeyId": text(arn("kms"), computed=True, replace=True),
}
LOCAL: Fields = {
    "password": text(length(8, 128), secret=True, local=True),
    "manageMasterUserPassword": boolean(local=True),
    "applyImmediately": boolean(local=True),
    "allowMajorVersionUpgrade": boolean(local=True),
    "deleteAutomatedBackups": boolean(default=True, local=True),
    "skipFinalSnapshot": boolean(default=False, local=True),
    "finalSnapshotIdentifier": text(length(1, 255), local=True),
}
AWS = {
    "instanceClass": "DBInstanceClass",
    "parameterGroupName": "DBParameterGroupName",
    "maintenanceWindow": "PreferredMaintenanceWindow",
    "backupWindow": "PreferredBackupWindow",
    "multiAz": "MultiAZ",
    "caCertIdentifier": "CACertificateIdentifier",
    "performanceInsightsEnabled": "EnablePerformanceInsights",
    "dbName": "DBName",
    "username": "MasterUsername",
    "dbSubnetGroupName": "DBSubnetGroupName",
    "password": "MasterUserPassword",
    "manageMasterUserPassword": "ManageMasterUserPassword",
}
MODIFY = {"port": "DBPortNumber"}
ON_CREATE = (*MUTABLE, *FIXED, "password", "manageMasterUserPassword")
ON_UPDATE = (*MUTABLE, "password", "manageMasterUserPassword")


class Instance(Resource):
    """The id is the identifier (the real provider's is the resource id, which programs do not choose)."""

    token = "aws:rds/instance:Instance"
    inputs = {"identifier": name(63), **MUTABLE, **FIXED, **LOCAL, **TAGS}
    outputs = ("arn", "address", "endpoint", "hostedZoneId", "resourceId", "status", "masterUserSecrets")
    volatile = ("status", "endpoint", "address")

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        if args.get("engine") is None:
            yield "engine", "a database needs an engine"
        if args.get("allocatedStorage") is None:
            yield "allocatedStorage", "a database needs storage"
        if args.get("username") is None:
            yield "username", "a database needs a master user"
        if args.get("password") is not None and args.get("manageMasterUserPassword"):
            yield "password", "conflicts with manageMasterUserPassword"
        if args.get("password") is None and args.get("manageMasterUserPassword") is None:
            yield "manageMasterUserPassword", "either this or a password is needed"
        if args["skipFinalSnapshot"] is False and args.get("finalSnapshotIdentifier") is None:
            yield "finalSnapshotIdentifier", "is needed unless skipFinalSnapshot is set"

    def create(self, call: Call, args: Args) -> str:
        call.client("rds").create_db_instance(
            DBInstanceIdentifier=args["identifier"], Tags=pairs(args["tagsAll"]), **_settings(args, ON_CREATE)
        )
        return str(args["identifier"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        self._await_ready(call, id)

    def _await_ready(self, call: Call, id: str) -> None:
        def ready() -> bool | None:
            status = _describe(call, id)["DBInstanceStatus"]
            call.progress(f"the database is {status}")
            if status in FAILED:
                raise WaitError(f"database {id} is {status}")
            return True if status == "available" else None

        call.wait(ready, f"database {id} to be available", READY_SECONDS)

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        found = _describe(call, id)
        answers = {field: found.get(AWS.get(field, _upper(field))) for field in (*MUTABLE, *FIXED)}
        endpoint = found.get("Endpoint") or {}
        secret = found.get("MasterUserSecret")
        groups = found.get("DBParameterGroups") or [{}]
        return {
            **answers,
            "engineVersion": _version(state.get("engineVersion"), str(found["EngineVersion"])),
            "parameterGroupName": groups[0].get("DBParameterGroupName"),
            "vpcSecurityGroupIds": [each["VpcSecurityGroupId"] for each in found.get("VpcSecurityGroups") or []],
            "dbSubnetGroupName": (found.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
            "port": endpoint.get("Port") or found.get("DbInstancePort"),
            "performanceInsightsEnabled": bool(found.get("PerformanceInsightsEnabled")),
            "identifier": found["DBInstanceIdentifier"],
            "arn": found["DBInstanceArn"],
            "address": endpoint.get("Address"),
            "endpoint": f"{endpoint.get('Address')}:{endpoint.get('Port')}",
            "hostedZoneId": endpoint.get("HostedZoneId"),
            "resourceId": found.get("DbiResourceId"),
            "status": found["DBInstanceStatus"],
            "masterUserSecrets": [_secret(secret)] if secret else [],
            "tagsAll": tags(call, found["DBInstanceArn"]),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        settings = _settings({field: new.get(field) for field in changed}, ON_UPDATE)
        if settings:
            renamed = {MODIFY.get(_lower(key), key): value for key, value in settings.items()}
            call.client("rds").modify_db_instance(
                DBInstanceIdentifier=id, ApplyImmediately=bool(new.get("applyImmediately")), **renamed
            )
            self._await_ready(call, id)
        retag(call, str(old["arn"]), old, new)

    def delete(self, call: Call, id: str, state: State) -> None:
        """RDS refuses while `deletionProtection` is on; the final snapshot's name must be new each time."""
        snapshot = state.get("finalSnapshotIdentifier")
        skip = bool(state.get("skipFinalSnapshot"))
        final = {"SkipFinalSnapshot": True} if skip else {"FinalDBSnapshotIdentifier": snapshot}
        call.client("rds").delete_db_instance(
            DBInstanceIdentifier=id, DeleteAutomatedBackups=bool(state.get("deleteAutomatedBackups", True)), **final
        )
        call.wait_gone(lambda: _describe(call, id), f"database {id}", GONE_SECONDS)


def _describe(call: Call, id: str) -> dict[str, Any]:
    return dict(call.client("rds").describe_db_instances(DBInstanceIdentifier=id)["DBInstances"][0])


def _settings(args: Args, fields: Iterable[str]) -> dict[str, Any]:
    return {AWS.get(field, _upper(field)): args[field] for field in fields if args.get(field) is not None}


def _upper(field: str) -> str:
    return field[0].upper() + field[1:]


def _lower(key: str) -> str:
    return key[0].lower() + key[1:]


def _version(asked: str | None, running: str) -> str:
    """A program that asks for 15 has got it with 15.4: minor versions are RDS's to move."""
    return asked if asked and (running == asked or running.startswith(f"{asked}.")) else running


def _secret(secret: dict[str, Any]) -> dict[str, Any]:
    return {
        "secretArn": secret["SecretArn"],
        "secretStatus": secret.get("SecretStatus", "active"),
        "kmsKeyId": secret.get("KmsKeyId", ""),
    }
