"""The graph of the whole stack: what exists, in which order, under which options, and what must not exist."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from contract import HTTP, PORTS, TAGS
from tests.program.conftest import CONTROL, DEPLOYMENT, SERVER
from tests.program.engine import Made, Recording, changed, run

GROUP = "aws:autoscaling/group:Group"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
RULE = "aws:lb/listenerRule:ListenerRule"
OBJECT = "aws:s3/bucketObjectv2:BucketObjectv2"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
LISTENER = "aws:lb/listener:Listener"
DATABASE = "aws:rds/instance:Instance"

Config = dict[str, Any]


NEEDED_BEFORE_BOOT = [
    RULE,
    "aws:ec2/route:Route",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ec2/vpcEndpoint:VpcEndpoint",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:ssm/parameter:Parameter",
    OBJECT,
    INGRESS,
    EGRESS,
]


@pytest.mark.parametrize("kind", NEEDED_BEFORE_BOOT)
def test_no_node_starts_before_what_its_boot_needs(stack: Recording, kind: str) -> None:
    assert stack.of(kind)
    for group in stack.of(GROUP):
        missing = [made.name for made in stack.of(kind) if made.urn not in group.after]
        assert not missing, f"{group.name} may start before {missing}"


def test_no_node_starts_before_its_roles_grants(stack: Recording) -> None:
    for group in stack.of(GROUP):
        assert stack.one("aws:iam/rolePolicy:RolePolicy", group.name).urn in group.after


def test_interface_endpoints_stand_before_any_node_starts(local: Config) -> None:
    stack = run(changed(local, {"network.egress": "none"}), "local")
    endpoints = stack.of("aws:ec2/vpcEndpoint:VpcEndpoint")
    assert {e.inputs["serviceName"].split(".")[-1] for e in endpoints} == {"s3", "ssm", "secretsmanager"}
    for group in stack.of(GROUP):
        assert {endpoint.urn for endpoint in endpoints} <= group.after


def test_the_balancer_waits_for_the_internet_gateways_route(stack: Recording) -> None:
    assert stack.one("aws:ec2/route:Route", "-public-out").urn in stack.one("aws:lb/loadBalancer:LoadBalancer").after


def test_the_bucket_policy_waits_for_the_public_access_block(stack: Recording) -> None:
    block = stack.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    assert block.urn in stack.one("aws:s3/bucketPolicy:BucketPolicy").after


def test_what_rollouts_own_is_created_once_and_then_ignored(stack: Recording) -> None:
    for parameter in stack.of("aws:ssm/parameter:Parameter"):
        assert {"value", "insecureValue"} <= set(parameter.ignored)
    for upload in stack.of(OBJECT):
        assert upload.request.retainOnDelete, "a later upload would delete what a rollback needs"
        assert {"key", "source", "content"} <= set(upload.ignored)


def test_the_first_release_and_deployment_are_uploaded(stack: Recording) -> None:
    assert {upload.inputs["key"] for upload in stack.of(OBJECT)} == {
        f"releases/{SERVER}.tar.zst",
        f"releases/{CONTROL}.tar.zst",
        f"deployments/{DEPLOYMENT}.json",
    }
    assert stack.one("aws:ssm/parameter:Parameter", "-deployment").inputs["value"] == DEPLOYMENT


def test_the_desired_capacity_is_ignored_only_when_something_else_owns_it(local: Config) -> None:
    assert run(local, "local").one(GROUP, "-serving").ignored == []
    scaled = run(changed(local, {"fleet.autoscaling": True}), "local")
    assert scaled.one(GROUP, "-serving").ignored == ["desiredCapacity"]


def test_nodes_are_replaced_by_a_refresh_that_never_goes_below_full_strength(stack: Recording) -> None:
    for group in stack.of(GROUP):
        preferences = group.inputs["instanceRefresh"]["preferences"]
        assert (preferences["minHealthyPercentage"], preferences["maxHealthyPercentage"]) == (100, 200)
        assert preferences["autoRollback"] is True
        assert group.inputs["healthCheckType"] == "ELB"
        assert re.fullmatch(r"\d+", group.inputs["launchTemplate"]["version"]), "a numbered version, not $Latest"
        assert group.request.hooks.after_create, "up would return before the nodes are healthy"
        assert group.request.hooks.after_update


def test_the_tracking_node_is_one_that_can_be_replaced(stack: Recording) -> None:
    inputs = stack.one(GROUP, "-tracking").inputs
    assert (inputs["minSize"], inputs["desiredCapacity"], inputs["maxSize"]) == (1, 1, 2)


def test_nodes_speak_imdsv2_only_and_keep_encrypted_disks(stack: Recording) -> None:
    for template in stack.of(TEMPLATE):
        metadata = template.inputs["metadataOptions"]
        assert (metadata["httpTokens"], metadata["httpPutResponseHopLimit"]) == ("required", 1)
        (disk,) = template.inputs["blockDeviceMappings"]
        assert disk["deviceName"] == "/dev/xvda", "another name would add a second, unencrypted disk"
        assert disk["ebs"]["encrypted"] == "true"


def test_a_burstable_node_does_not_bill_surplus_credits(stack: Recording) -> None:
    for template in stack.of(TEMPLATE):
        assert template.inputs["creditSpecification"] == {"cpuCredits": "standard"}


def test_a_node_that_is_not_burstable_has_no_credits(local: Config) -> None:
    stack = run(changed(local, {"fleet.instanceType": "c7i.large"}), "local")
    assert "creditSpecification" not in stack.one(TEMPLATE, "-serving").inputs


def test_everything_that_an_asg_makes_is_tagged(stack: Recording) -> None:
    for template in stack.of(TEMPLATE):
        tagged = {spec["resourceType"]: spec["tags"] for spec in template.inputs["tagSpecifications"]}
        assert set(tagged) == {"instance", "volume", "network-interface"}
        for tags in tagged.values():
            assert {TAGS.project, TAGS.stack, TAGS.role, "Name"} <= set(tags)
            assert not [key for key in tags if "/" in key or " " in key], "such a key makes the launch fail"


def test_everything_else_is_tagged_by_the_provider(stack: Recording) -> None:
    tags = json.loads(stack.one("pulumi:providers:aws").inputs["defaultTags"])["tags"]
    assert {TAGS.project, TAGS.stack} <= set(tags)
    for made in stack.cloud():
        assert "-aws::" in made.request.provider, f"{made.name} is not the explicit provider's"


def test_groups_carry_the_tags_that_the_inventory_reads(stack: Recording) -> None:
    for group in stack.of(GROUP):
        assert {TAGS.project, TAGS.stack, TAGS.role} <= {tag["key"] for tag in group.inputs["tags"]}


def test_the_database_is_encrypted_private_and_keeps_its_password_to_itself(stack: Recording) -> None:
    inputs = stack.one(DATABASE).inputs
    assert inputs["storageEncrypted"] is True
    assert inputs["publiclyAccessible"] is False
    assert inputs["manageMasterUserPassword"] is True
    assert "password" not in inputs
    assert re.fullmatch(r"\d+", inputs["engineVersion"]), "a minor version would drift with the first upgrade"
    (forced,) = stack.one("aws:rds/parameterGroup:ParameterGroup").inputs["parameters"]
    assert (forced["name"], forced["value"]) == ("rds.force_ssl", "1")


def test_what_holds_data_is_protected_in_production_and_not_locally(
    local_stack: Recording, prod_stack: Recording
) -> None:
    for kind in (DATABASE, "aws:s3/bucket:Bucket", "aws:lb/loadBalancer:LoadBalancer"):
        assert prod_stack.one(kind).request.protect, f"a destroy would fail only half-way, at {kind}"
        assert not local_stack.one(kind).request.protect
    assert prod_stack.one(DATABASE).inputs["deletionProtection"] is True
    assert prod_stack.one("aws:s3/bucket:Bucket").inputs["forceDestroy"] is False


def test_a_final_snapshot_is_named_after_what_no_second_stack_repeats(prod_stack: Recording) -> None:
    generated = prod_stack.one("aws:rds/subnetGroup:SubnetGroup").name + "-0123456"
    assert prod_stack.one(DATABASE).inputs["finalSnapshotIdentifier"] == f"{generated}-final"


def test_a_database_without_final_snapshot_names_none(local_stack: Recording) -> None:
    assert local_stack.one(DATABASE).inputs["skipFinalSnapshot"] is True
    assert "finalSnapshotIdentifier" not in local_stack.one(DATABASE).inputs


def test_the_bucket_is_private_encrypted_versioned_and_expires_nothing_current(stack: Recording) -> None:
    block = stack.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs
    assert all(block[key] for key in block if key != "bucket")
    assert (
        stack.one("aws:s3/bucketVersioning:BucketVersioning").inputs["versioningConfiguration"]["status"] == "Enabled"
    )
    assert stack.of("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
    for rule in stack.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs["rules"]:
        assert not {"days", "date"} & set(rule.get("expiration", {})), "a rollback may need every current object"
        assert rule["abortIncompleteMultipartUpload"]
        assert rule["noncurrentVersionExpiration"]


def test_the_balancer_drops_invalid_headers_and_outlasts_no_node(stack: Recording) -> None:
    inputs = stack.one("aws:lb/loadBalancer:LoadBalancer").inputs
    assert inputs["dropInvalidHeaderFields"] is True
    assert HTTP.nginx_keepalive_seconds > inputs["idleTimeout"] > HTTP.nginx_read_seconds


def test_only_the_protocols_paths_are_forwarded(stack: Recording) -> None:
    serving = stack.one("aws:lb/targetGroup:TargetGroup", "-api").inputs
    assert serving["healthCheck"]["path"] == "/readyz"
    patterns = [p for rule in stack.of(RULE) if not rule.name.endswith("-mlflow") for p in _values(rule, "pathPattern")]
    assert set(patterns) >= {"/invocations", "/predict", "/ping", "/version", "/v2/*"}
    assert set(patterns) >= {"/", "/docs", "/openapi.json"}, "what a user reads in a browser"
    for private in ("/metrics", "/livez", "/readyz", "/*"):
        assert private not in patterns
    for listener in stack.of(LISTENER):
        (default,) = listener.inputs["defaultActions"]
        assert default["type"] != "forward", "what no rule names must not reach a node"


def test_a_rule_has_at_most_five_values(stack: Recording) -> None:
    for rule in stack.of(RULE):
        values = [v for condition in rule.inputs["conditions"] for kind in condition.values() for v in kind["values"]]
        assert len(values) <= 5, "AWS refuses the rule"


def test_https_is_explicit_and_http_only_redirects(prod_stack: Recording) -> None:
    https = prod_stack.one(LISTENER, "-https").inputs
    assert (https["port"], https["protocol"]) == (443, "HTTPS")
    assert https["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06", "the default policy still allows TLS 1.0"
    (redirect,) = prod_stack.one(LISTENER, "-http").inputs["defaultActions"]
    assert redirect["redirect"]["protocol"] == "HTTPS"
    assert len(prod_stack.of(LISTENER)) == 2


def test_every_host_name_is_proved_and_points_at_the_balancer(prod_stack: Recording) -> None:
    certificate = prod_stack.one("aws:acm/certificate:Certificate").inputs
    assert certificate["domainName"] == "models.example.com"
    assert certificate["subjectAlternativeNames"] == ["mlflow.example.com"]
    names = {record.inputs["name"] for record in prod_stack.of("aws:route53/record:Record")}
    hosts = {"models.example.com", "mlflow.example.com"}
    assert names == hosts | {f"_proof.{host}" for host in hosts}


def test_a_given_certificate_is_used_and_none_is_made(prod: Config) -> None:
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/given"
    domain = {"name": "models.example.com", "certificateArn": arn}
    stack = run(changed(prod, {"domain": domain, "mlflow.certificateArn": f"{arn}-2"}), "prod")
    assert stack.one(LISTENER, "-https").inputs["certificateArn"] == arn
    assert stack.one("aws:lb/listenerCertificate:ListenerCertificate").inputs["certificateArn"] == f"{arn}-2"
    assert not stack.of("aws:acm/certificate:Certificate")
    assert not stack.of("aws:route53/record:Record")


def test_mlflow_is_reached_by_its_host_name_under_https(prod_stack: Recording) -> None:
    rule = prod_stack.one(RULE, "-mlflow")
    assert _values(rule, "hostHeader") == ["mlflow.example.com"]
    assert rule.inputs["listenerArn"].endswith("slipway-prod-https")
    assert rule.inputs["priority"] < min(r.inputs["priority"] for r in prod_stack.of(RULE) if r is not rule)
    assert prod_stack.exports["mlflow_url"] == "https://mlflow.example.com"


def test_mlflow_that_is_not_exposed_is_healthy_and_answers_nobody(prod: Config) -> None:
    stack = run(changed(prod, {"mlflow": None}), "prod")
    rule = stack.one(RULE, "-mlflow")
    assert _values(rule, "sourceIp") == ["192.0.2.0/24"], "no client has an address reserved for documentation"
    assert stack.exports["mlflow_url"] is None


@pytest.mark.parametrize("egress", ["single-nat", "nat-per-zone", "none"])
def test_the_way_out_is_what_the_setting_says(prod: Config, egress: str) -> None:
    stack = run(changed(prod, {"network.egress": egress}), "prod")
    gateways = {"single-nat": 1, "nat-per-zone": 2, "none": 0}[egress]
    assert len(stack.of("aws:ec2/natGateway:NatGateway")) == len(stack.of("aws:ec2/eip:Eip")) == gateways
    anywhere = [rule for rule in stack.of(EGRESS) if rule.inputs.get("cidrIpv4") == "0.0.0.0/0"]
    assert bool(anywhere) == (egress != "none")


def test_what_exists_once_is_deleted_before_it_is_replaced(prod_stack: Recording) -> None:
    """An address serves one NAT gateway, and a network has one Instance Connect Endpoint."""
    for kind in (
        "aws:ec2/natGateway:NatGateway",
        "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",
    ):
        assert prod_stack.one(kind).request.deleteBeforeReplace


def test_each_zone_leaves_by_its_own_gateway_when_each_has_one(prod: Config) -> None:
    stack = run(changed(prod, {"network.egress": "nat-per-zone"}), "prod")
    for zone in ("us-east-1a", "us-east-1b"):
        route = stack.one("aws:ec2/route:Route", f"-{zone}-out")
        assert route.inputs["natGatewayId"] == f"slipway-prod-nat-{zone}-id"


def test_nothing_is_open_to_the_world_unless_a_setting_says_so(stack: Recording) -> None:
    for rule in stack.of(INGRESS):
        assert rule.inputs.get("cidrIpv4") != "0.0.0.0/0", f"{rule.name} admits everybody"
        assert rule.inputs["ipProtocol"] == "tcp"
        assert rule.inputs["fromPort"] == rule.inputs["toPort"]


def test_ssh_is_admitted_from_the_endpoint_or_from_inside_only(local_stack: Recording, prod_stack: Recording) -> None:
    assert {_peer(rule) for rule in _ssh(local_stack)} == {"10.20.0.0/16"}
    assert {_peer(rule) for rule in _ssh(prod_stack)} == {"slipway-prod-connect-id"}
    assert prod_stack.of("aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint")
    assert not local_stack.of("aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint")


def test_a_stack_that_nobody_logs_in_to_has_no_ssh_and_no_key(prod: Config) -> None:
    stack = run(changed(prod, {"operatorAccess": "none", "operatorPublicKey": None}), "prod")
    assert not _ssh(stack)
    assert not stack.of("aws:ec2/keyPair:KeyPair")
    assert "keyName" not in stack.one(TEMPLATE, "-serving").inputs


def test_the_database_is_reached_from_the_tracking_node_only(stack: Recording) -> None:
    rules = [rule for rule in stack.of(INGRESS) if rule.inputs["fromPort"] == PORTS.database]
    assert [_peer(rule).endswith("-tracking-id") for rule in rules] == [True]


def test_nodes_have_no_public_address(stack: Recording) -> None:
    private = {made.name + "-id" for made in stack.of("aws:ec2/subnet:Subnet") if "-private-" in made.name}
    for group in stack.of(GROUP):
        assert set(group.inputs["vpcZoneIdentifiers"]) == private
    assert not [s.name for s in stack.of("aws:ec2/subnet:Subnet") if s.inputs["mapPublicIpOnLaunch"]]


def test_the_isolated_subnets_have_no_way_out(stack: Recording) -> None:
    tables = {route.inputs["routeTableId"] for route in stack.of("aws:ec2/route:Route")}
    assert not [table for table in tables if "isolated" in table]


LIMITS = {"aws:lb/loadBalancer:LoadBalancer": 32, "aws:lb/targetGroup:TargetGroup": 32, "aws:iam/role:Role": 64}
LIMITS |= {"aws:s3/bucket:Bucket": 63, DATABASE: 63, "aws:iam/instanceProfile:InstanceProfile": 128}


def test_the_longest_stack_name_fits_every_limit(prod: Config) -> None:
    stack = run(prod, "a2345678-abc")
    for made in stack.cloud():
        length = len(made.name) + len("-0123456")
        assert length <= LIMITS.get(made.type, 255), f"{made.name} with its suffix is {length} long"


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
        "load_balancer_arn",
    }


def test_the_url_is_where_the_balancer_listens(local_stack: Recording, prod_stack: Recording) -> None:
    assert local_stack.exports["url"] == "http://balancer.example.net:8080"
    assert local_stack.exports["mlflow_url"] == "http://balancer.example.net:5000"
    assert prod_stack.exports["url"] == "https://models.example.com"


def test_no_secret_value_is_in_the_program(stack: Recording) -> None:
    assert not stack.of("aws:secretsmanager/secretVersion:SecretVersion")
    assert len(stack.of("aws:secretsmanager/secret:Secret")) == 1


def test_only_kinds_that_the_local_provider_knows_are_used(stack: Recording) -> None:
    assert not [made.type for made in stack.cloud() if "V2:" in made.type or made.type.endswith("V2")]


def test_no_endpoint_stands_in_the_program(stack: Recording) -> None:
    assert "endpoints" not in stack.one("pulumi:providers:aws").inputs


def _ssh(stack: Recording) -> list[Made]:
    return [rule for rule in stack.of(INGRESS) if rule.inputs["fromPort"] == PORTS.ssh]


def _peer(rule: Made) -> str:
    return str(rule.inputs.get("cidrIpv4") or rule.inputs.get("referencedSecurityGroupId"))


def _values(rule: Made, kind: str) -> list[str]:
    conditions: list[Mapping[str, Any]] = rule.inputs["conditions"]
    return [value for condition in conditions for value in condition.get(kind, {}).get("values", [])]
