"""DB parameter groups that say what a user has set, and the managed master password that is a password.

Moto stores parameters without a source, so asking for the user's own finds none, gives every managed secret the same
user name and password, and rotates it into nothing.
Fixed when `describe_db_parameters(Source="user")` answers what was modified, and two managed passwords differ.
"""

import json
import secrets
import string
from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import DBParameterGroupNotFoundError, RDSClientError
from moto.rds.models import DBParameterGroup, MasterUserSecret, RDSBackend
from moto.rds.responses import RDSResponse

from localcloud.gaps.patch import AnyFunction, add, replace

PASSWORD_CHARACTERS = string.ascii_letters + string.digits + "!#$%&()*+,-.:;<=>?[]^_{|}~"

# Parameters that PostgreSQL reads only when it starts; RDS refuses to apply them immediately.
STATIC = {"shared_preload_libraries", "max_connections", "shared_buffers", "rds.logical_replication", "wal_level"}


def password() -> str:
    return "".join(secrets.choice(PASSWORD_CHARACTERS) for _ in range(28))


def _secret_string(_original: AnyFunction, self: Any) -> str:
    return json.dumps({"username": self.resource.master_username, "password": password()})


def _rotate(_original: AnyFunction, self: Any) -> None:
    self._status = "rotating"
    self.secretsmanager.put_secret_value(
        secret_id=self.secret.arn,
        secret_string=self._generate_secret_string(),
        secret_binary=None,
        client_request_token=secrets.token_hex(16),
        version_stages=["AWSCURRENT"],
    )


def _update(_original: AnyFunction, self: Any, new_parameters: list[dict[str, Any]]) -> None:
    for parameter in new_parameters:
        name, method = parameter["ParameterName"], parameter.get("ApplyMethod", "pending-reboot")
        if name in STATIC and method == "immediate":
            raise RDSClientError(
                "InvalidParameterCombination", f"cannot use immediate apply method for static parameter: {name}"
            )
        self.parameters[name] = {
            "ParameterName": name,
            "ParameterValue": parameter["ParameterValue"],
            "ApplyMethod": method,
            "ApplyType": "static" if name in STATIC else "dynamic",
            "DataType": "string",
            "IsModifiable": True,
            "Source": "user",
        }


def _describe(_original: AnyFunction, self: Any) -> Any:
    name, source = self.params.get("DBParameterGroupName"), self.params.get("Source")
    group = self.backend.db_parameter_groups.get(name)
    if group is None:
        raise DBParameterGroupNotFoundError(name)
    parameters = [entry for entry in group.parameters.values() if source in (None, entry["Source"])]
    return ActionResult({"Parameters": parameters})


def _describe_groups(original: AnyFunction, self: Any, db_parameter_group_kwargs: Any) -> Any:
    found = original(self, db_parameter_group_kwargs)
    name = db_parameter_group_kwargs.get("db_parameter_group_name")
    if name and not found:
        raise DBParameterGroupNotFoundError(name)
    return found


def _delete(original: AnyFunction, self: Any, db_parameter_group_name: str) -> Any:
    users = [
        name for name, database in self.databases.items() if database.db_parameter_group_name == db_parameter_group_name
    ]
    if users:
        raise RDSClientError(
            "InvalidDBParameterGroupState",
            f"One or more database instances are still members of this parameter group {db_parameter_group_name}",
        )
    return original(self, db_parameter_group_name)


def reset_db_parameter_group(self: Any) -> Any:
    name = self.params.get("DBParameterGroupName")
    group = self.backend.db_parameter_groups.get(name)
    if group is None:
        raise DBParameterGroupNotFoundError(name)
    if self.params.get("ResetAllParameters"):
        group.parameters.clear()
    for parameter in self.params.get("Parameters", []):
        group.parameters.pop(parameter["ParameterName"], None)
    return ActionResult({"DBParameterGroupName": name})


def install() -> None:
    replace(MasterUserSecret, "_generate_secret_string", _secret_string)
    replace(MasterUserSecret, "rotate_secret", _rotate)
    replace(DBParameterGroup, "update_parameters", _update)
    replace(RDSResponse, "describe_db_parameters", _describe)
    replace(RDSBackend, "describe_db_parameter_groups", _describe_groups)
    replace(RDSBackend, "delete_db_parameter_group", _delete)
    add(RDSResponse, reset_db_parameter_group)
