"""RDS as AWS has it: it takes time, its password is managed, and it refuses."""

import json
from typing import Any

import pytest

from tests.moto.local_api import LocalApi, Network, refusal


@pytest.fixture
def network(api: LocalApi) -> Network:
    return api.network()


def create(api: LocalApi, network: Network, **more: Any) -> str:
    name = api.name("db")
    api.rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=network.subnets)
    request = {
        "DBInstanceIdentifier": name,
        "Engine": "postgres",
        "EngineVersion": "15",
        "DBInstanceClass": "db.t4g.micro",
        "MasterUsername": "slipway",
        "ManageMasterUserPassword": True,
        "AllocatedStorage": 20,
        "DBSubnetGroupName": name,
        "VpcSecurityGroupIds": [network.group],
        "DBName": "mlflow",
    }
    wanted = {key: value for key, value in (request | more).items() if value is not None}
    api.rds.create_db_instance(**wanted)
    return name


def describe(api: LocalApi, name: str) -> dict[str, Any]:
    return dict(api.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])


def test_a_database_is_creating_without_an_endpoint_until_it_is_available(api: LocalApi, network: Network) -> None:
    name = create(api, network)
    assert describe(api, name)["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in describe(api, name)
    api.turn()
    found = describe(api, name)
    assert found["DBInstanceStatus"] == "available"
    assert found["EngineVersion"].startswith("15.")
    record = next(each for each in api.world.databases() if each.id == name)
    assert found["Endpoint"] == {"Address": record.host, "Port": 5432}
    assert record.address in record.subnet_cidr
    assert record.memory_mib == 1024


def test_the_managed_password_is_a_password_and_rotates(api: LocalApi, network: Network) -> None:
    name = create(api, network)
    api.turn()
    arn = describe(api, name)["MasterUserSecret"]["SecretArn"]
    first = json.loads(api.world.secret(arn) or "")
    assert first["username"] == "slipway"
    assert len(first["password"]) >= 20
    api.rds.modify_db_instance(DBInstanceIdentifier=name, RotateMasterUserPassword=True, ApplyImmediately=True)
    second = json.loads(api.secretsmanager.get_secret_value(SecretId=arn)["SecretString"])
    assert second["username"] == "slipway"
    assert second["password"] != first["password"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"EngineVersion": "99"}, "InvalidParameterCombination"),
        ({"MasterUsername": "admin"}, "InvalidParameterValue"),
        ({"MasterUserPassword": "secret-password"}, "InvalidParameterCombination"),
        ({"ManageMasterUserPassword": None}, "InvalidParameterValue"),
        ({"DBInstanceClass": "t4g.micro"}, "InvalidParameterValue"),
        ({"VpcSecurityGroupIds": ["sg-00000000000000000"]}, "InvalidParameterValue"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_what_rds_cannot_make_it_refuses(api: LocalApi, network: Network, wrong: dict[str, Any], code: str) -> None:
    assert refusal(create, api=api, network=network, **wrong) == code


def test_a_parameter_group_of_another_version_is_refused(api: LocalApi, network: Network) -> None:
    name = api.name("parameters")
    api.rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily="postgres16", Description="d")
    assert refusal(create, api=api, network=network, DBParameterGroupName=name) == "InvalidParameterCombination"


def test_a_database_is_deleted_by_the_rules_and_in_time(api: LocalApi, network: Network) -> None:
    name = create(api, network, DeletionProtection=True)
    api.turn()
    call = {"DBInstanceIdentifier": name}
    assert refusal(api.rds.delete_db_instance, **call) == "InvalidParameterCombination", "a final snapshot, or none?"
    assert refusal(api.rds.delete_db_instance, **call, SkipFinalSnapshot=True) == "InvalidParameterCombination"
    api.rds.modify_db_instance(**call, DeletionProtection=False, ApplyImmediately=True)
    api.rds.delete_db_instance(**call, FinalDBSnapshotIdentifier=f"{name}-final")
    assert describe(api, name)["DBInstanceStatus"] == "deleting"
    assert refusal(api.rds.delete_db_subnet_group, DBSubnetGroupName=name) == "InvalidDBSubnetGroupStateFault"
    assert refusal(api.ec2.delete_security_group, GroupId=network.group) == "DependencyViolation"
    secret = next(each.master_secret_arn for each in api.world.databases() if each.id == name)
    api.turn()
    assert refusal(api.rds.describe_db_instances, **call) == "DBInstanceNotFound"
    assert api.world.secret(secret or "") is None
    api.rds.delete_db_subnet_group(DBSubnetGroupName=name)
    api.ec2.delete_security_group(GroupId=network.group)


def test_a_final_snapshots_name_is_used_once(api: LocalApi, network: Network) -> None:
    first, second = create(api, network), create(api, network)
    api.turn()
    snapshot = api.name("final")
    api.rds.delete_db_instance(DBInstanceIdentifier=first, FinalDBSnapshotIdentifier=snapshot)
    call = {"DBInstanceIdentifier": second, "FinalDBSnapshotIdentifier": snapshot}
    assert refusal(api.rds.delete_db_instance, **call) == "DBSnapshotAlreadyExists"


def test_a_parameter_group_tells_the_users_own_parameters(api: LocalApi) -> None:
    name = api.name("parameters")
    group = {"DBParameterGroupName": name}
    api.rds.create_db_parameter_group(**group, DBParameterGroupFamily="postgres15", Description="d")
    force = {"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"}
    api.rds.modify_db_parameter_group(**group, Parameters=[force])
    found = api.rds.describe_db_parameters(**group, Source="user")["Parameters"]
    assert [(each["ParameterName"], each["ParameterValue"]) for each in found] == [("rds.force_ssl", "1")]
    static = {"ParameterName": "max_connections", "ParameterValue": "50", "ApplyMethod": "immediate"}
    refused = refusal(api.rds.modify_db_parameter_group, **group, Parameters=[static])
    assert refused == "InvalidParameterCombination"
    api.rds.reset_db_parameter_group(**group, Parameters=[force])
    assert api.rds.describe_db_parameters(**group, Source="user")["Parameters"] == []
    api.rds.delete_db_parameter_group(**group)
    assert refusal(api.rds.describe_db_parameter_groups, **group) == "DBParameterGroupNotFound"


def test_a_parameter_group_in_use_is_not_deleted(api: LocalApi, network: Network) -> None:
    name = api.name("parameters")
    group = {"DBParameterGroupName": name}
    api.rds.create_db_parameter_group(**group, DBParameterGroupFamily="postgres15", Description="d")
    create(api, network, **group)
    assert refusal(api.rds.delete_db_parameter_group, **group) == "InvalidDBParameterGroupState"
