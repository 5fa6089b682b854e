"""The stack as a whole: names, exports, and what the program must not hold."""

from typing import Any

from tests.program.engine import Recording, run

DATABASE = "aws:rds/instance:Instance"

Config = dict[str, Any]


LIMITS = {"aws:lb/loadBalancer:LoadBalancer": 32, "aws:lb/targetGroup:TargetGroup": 32, "aws:iam/role:Role": 64}
LIMITS |= {"aws:s3/bucket:Bucket": 63, DATABASE: 63, "aws:iam/instanceProfile:InstanceProfile": 128}
LONGEST = "a2345678-abc"


def fits_every_limit(stack: Recording) -> None:
    for made in stack.cloud():
        length = len(made.name) + len("-0123456")
        assert length <= LIMITS.get(made.type, 255), f"{made.name} with its suffix is {length} long"


def test_the_longest_stack_name_fits_every_limit(prod: Config) -> None:
    fits_every_limit(run(prod, LONGEST))


def test_exports_are_few_and_hold_no_secret(stack: Recording) -> None:
    assert set(stack.exports) == {
        "url",
        "mlflow_url",
        "bucket",
        "deployment_parameter",
        "fleet_group",
        "tracking_group",
        "mlflow_admin_secret_arn",
        "region",
        "delivery",
        "load_balancer_arn",
    }


def test_the_url_is_where_the_balancer_listens(local_stack: Recording, prod_stack: Recording) -> None:
    assert local_stack.exports["url"] == "http://balancer.example.net:8080"
    assert local_stack.exports["mlflow_url"] == "http://balancer.example.net:5000"
    assert prod_stack.exports["url"] == "https://models.example.com"


def test_no_secret_value_is_in_the_program(stack: Recording) -> None:
    assert not stack.of("aws:secretsmanager/secretVersion:SecretVersion")
    secrets = stack.of("aws:secretsmanager/secret:Secret")
    assert {"-".join(secret.name.split("-")[2:]) for secret in secrets} == {"mlflow-admin", "watcher-key"}


def test_a_chats_address_is_a_secret_that_the_program_makes_empty_and_only_its_name_is_told(local: Config) -> None:
    stack = run({**local, "slipway:delivery": {"webhook": True, "webhookPrivate": True}}, "local")
    assert not stack.of("aws:secretsmanager/secretVersion:SecretVersion")
    secret = stack.one("aws:secretsmanager/secret:Secret", "-webhook")
    assert set(secret.inputs) == {"description", "recoveryWindowInDays", "tags"}
    told = stack.exports["delivery"]
    assert told["webhook_secret_arn"].endswith(":slipway-local-webhook")
    assert told["webhook_private"] is True


def test_without_a_chat_there_is_no_secret_for_one(stack: Recording) -> None:
    assert not [each for each in stack.of("aws:secretsmanager/secret:Secret") if "webhook" in each.name]
    assert not stack.exports["delivery"].get("webhook_secret_arn")


def test_only_kinds_that_the_local_provider_knows_are_used(stack: Recording) -> None:
    assert not [made.type for made in stack.cloud() if "V2:" in made.type or made.type.endswith("V2")]


def test_no_endpoint_stands_in_the_program(stack: Recording) -> None:
    assert "endpoints" not in stack.one("pulumi:providers:aws").inputs
