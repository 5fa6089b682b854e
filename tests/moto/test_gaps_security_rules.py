"""Security group rules with sources of every kind, as AWS keeps and modifies them."""

from typing import Any

import pytest

from tests.moto.local_api import LocalApi, Network, refusal


@pytest.fixture
def network(api: LocalApi) -> Network:
    return api.network()


def rule(api: LocalApi, group: str, **source: Any) -> dict[str, Any]:
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, **source}
    made = api.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    return described(api, made["SecurityGroupRules"][0]["SecurityGroupRuleId"])


def described(api: LocalApi, id: str) -> dict[str, Any]:
    return dict(api.ec2.describe_security_group_rules(SecurityGroupRuleIds=[id])["SecurityGroupRules"][0])


def modify(api: LocalApi, group: str, id: str, **wanted: Any) -> None:
    change = {"SecurityGroupRuleId": id, "SecurityGroupRule": wanted}
    api.ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[change])


def test_a_rule_keeps_its_description_whatever_its_source(api: LocalApi, network: Network) -> None:
    sources = (
        {"IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "said"}]},
        {"UserIdGroupPairs": [{"GroupId": network.group, "Description": "said"}]},
        {"PrefixListIds": [{"PrefixListId": "pl-0123abcd", "Description": "said"}]},
    )
    for source in sources:
        assert rule(api, network.group, **source)["Description"] == "said", source


def test_a_modified_rule_has_its_new_source_and_ports(api: LocalApi, network: Network) -> None:
    made = rule(api, network.group, UserIdGroupPairs=[{"GroupId": network.group}])
    id = made["SecurityGroupRuleId"]
    other = api.ec2.create_security_group(GroupName="other", Description="other", VpcId=network.vpc)["GroupId"]
    modify(api, network.group, id, IpProtocol="-1", ReferencedGroupId=other, Description="now")
    changed = described(api, id)
    assert (changed["ReferencedGroupInfo"]["GroupId"], changed["Description"]) == (other, "now")
    assert changed["IpProtocol"] == "-1"


def test_a_rule_keeps_the_kind_of_its_source(api: LocalApi, network: Network) -> None:
    made = rule(api, network.group, IpRanges=[{"CidrIp": "10.0.0.0/8"}])
    wanted = {"IpProtocol": "-1", "ReferencedGroupId": network.group}
    change = {"SecurityGroupRuleId": made["SecurityGroupRuleId"], "SecurityGroupRule": wanted}
    refused = refusal(api.ec2.modify_security_group_rules, GroupId=network.group, SecurityGroupRules=[change])
    assert refused == "InvalidParameterValue"
