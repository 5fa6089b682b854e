"""Groups, templates and tags: how nodes are made, replaced and known."""

import json
import re
from typing import Any

from contract import TAGS
from tests.program.engine import Recording, changed, run

GROUP = "aws:autoscaling/group:Group"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"

Config = dict[str, Any]


def test_nodes_are_replaced_by_a_refresh_that_never_goes_below_full_strength(stack: Recording) -> None:
    for group in stack.of(GROUP):
        preferences = group.inputs["instanceRefresh"]["preferences"]
        assert (preferences["minHealthyPercentage"], preferences["maxHealthyPercentage"]) == (100, 200)
        assert preferences["autoRollback"] is True
        assert group.inputs["healthCheckType"] == "ELB"
        assert re.fullmatch(r"\d+", group.inputs["launchTemplate"]["version"]), "a numbered version, not $Latest"
        hooks = group.request.hooks
        assert hooks.before_create
        assert hooks.before_update
        assert not [*hooks.after_create, *hooks.after_update], "the engine does nothing else while one of them waits"


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
