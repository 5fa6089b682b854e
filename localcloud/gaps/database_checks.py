"""What RDS refuses to make or to upgrade, and moto does not look at.

Fixed when moto's create_db_instance refuses EngineVersion 99, the user name `admin`, and a parameter group of another
major version.
"""

from typing import Any

from moto.ec2.models import ec2_backends
from moto.rds.exceptions import InvalidParameterCombination, InvalidParameterValue

# Full versions of RDS for PostgreSQL, newest last; a major version alone means its newest.
POSTGRES = {
    "13": ["13.22"],
    "14": ["14.19"],
    "15": ["15.12", "15.13", "15.14"],
    "16": ["16.9", "16.10"],
    "17": ["17.6"],
    "18": ["18.1"],
}
RESERVED_USERS = {"admin", "rdsadmin", "postgres_", "public", "user", "select", "table"}


def check(backend: Any, request: Any) -> None:
    user = str(request.get("master_username") or "")
    if request.get("engine") == "postgres" and user.lower() in RESERVED_USERS:
        raise InvalidParameterValue(f"MasterUsername {user} cannot be used as it is a reserved word used by the engine")
    if request.get("manage_master_user_password") and request.get("master_user_password"):
        raise InvalidParameterCombination(
            "You can't specify MasterUserPassword when ManageMasterUserPassword is enabled."
        )
    if not request.get("manage_master_user_password") and not request.get("master_user_password"):
        raise InvalidParameterValue("The parameter MasterUserPassword must be provided and must not be blank.")
    if not str(request.get("db_instance_class") or "").startswith("db."):
        raise InvalidParameterValue(f"Invalid DB Instance class: {request.get('db_instance_class')}")
    family = f"postgres{version(request.get('engine_version')).partition('.')[0]}"
    parameters = backend.db_parameter_groups.get(request.get("db_parameter_group_name") or "")
    if request.get("engine") == "postgres" and parameters and parameters.family != family:
        raise InvalidParameterCombination(
            f"The parameter group {parameters.name} with DBParameterGroupFamily {parameters.family} can't be used "
            f"for this instance. Please use a parameter group with DBParameterGroupFamily {family}."
        )
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    for group in request.get("vpc_security_group_ids") or []:
        if ec2.get_security_group_from_id(group) is None:
            raise InvalidParameterValue(f"Invalid security group, groupId= {group}, groupName=")


def version(asked: str | None) -> str:
    wanted = str(asked or max(POSTGRES, key=int))
    for major, versions in POSTGRES.items():
        if wanted == major:
            return versions[-1]
        if wanted in versions:
            return wanted
    raise InvalidParameterCombination(f"Cannot find version {wanted} for postgres")


def upgrade(has: str, wanted: str, request: Any) -> str:
    majors = [int(version.split(".")[0]) for version in (has, wanted)]
    if majors[1] < majors[0]:
        raise InvalidParameterCombination(f"Cannot upgrade postgres from {has} to {wanted}")
    if majors[1] > majors[0] and not request.get("allow_major_version_upgrade"):
        raise InvalidParameterCombination(
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version."
        )
    return has if majors[0] == majors[1] and wanted < has else wanted
