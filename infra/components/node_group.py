"""One kind of node: its role, its launch template, and the ASG that keeps as many of them as wanted.

A new template version replaces nodes only through instance refresh, never outside it, and never below full strength.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from contract.node_files import Role
from infra import bundle, names, policies, userdata
from infra.components.access import Access
from infra.components.network import Network
from infra.components.storage import Storage
from infra.image import Image
from infra.sections import NodeSettings

MEASURED = ["GroupDesiredCapacity", "GroupInServiceInstances"]
REPLACE_WITH_SPARE = {"min_healthy_percentage": 100, "max_healthy_percentage": 200}


@dataclass(frozen=True, kw_only=True)
class Size:
    """With `owned_elsewhere` the desired capacity is only where the group starts."""

    minimum: int
    desired: int
    maximum: int
    owned_elsewhere: bool = False


@dataclass(frozen=True, kw_only=True)
class Site:
    """What all nodes share. `after` is everything that a booting node needs and that no input of its group names."""

    stack: str
    region: str
    image: Image
    access: Access
    network: Network
    storage: Storage
    after: Sequence[pulumi.Resource]


@dataclass(frozen=True, kw_only=True)
class NodeGroupArgs:
    """`facts` are what the nodes are told at first boot. Without a target group, EC2 alone says who is unhealthy.

    With a `launch_hook` a node is in service when it has said so by that name, and is replaced when its grace is over.
    """

    site: Site
    role: Role
    settings: NodeSettings
    size: Size
    facts: Mapping[str, pulumi.Input[Any]]
    policy: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    target_group_arn: pulumi.Input[str] | None
    hooks: pulumi.ResourceHookBinding
    launch_hook: str | None = None


class NodeGroup(pulumi.ComponentResource):
    group_name: pulumi.Output[str]

    def __init__(self, name: str, args: NodeGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:nodes:NodeGroup", name, None, opts)
        self._name, self._child = name, pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            name, assume_role_policy=policies.assumed_by("ec2.amazonaws.com"), tags={"Name": name}, opts=self._child
        )
        grants = aws.iam.RolePolicy(name, role=role.id, policy=args.policy, opts=self._child)
        logs = aws.iam.RolePolicy(
            f"{name}-logs",
            role=role.id,
            policy=args.site.storage.arn.apply(lambda arn: policies.logs(arn, args.role)),
            opts=self._child,
        )
        profile = aws.iam.InstanceProfile(name, role=role.name, tags={"Name": name}, opts=self._child)
        own = bundle.bundle(args.role)
        template = self._template(args, profile, own.key)
        group = self._group(args, template, after=[*args.site.after, grants, logs, self._files(args, own)])
        self.group_name = group.name
        self.register_outputs({"group_name": self.group_name})

    def _files(self, args: NodeGroupArgs, own: bundle.Bundle) -> aws.s3.BucketObjectv2:
        """Kept when another takes its place: a refresh under way still starts nodes from it, and its undoing too."""
        return aws.s3.BucketObjectv2(
            f"{self._name}-files",
            bucket=args.site.storage.bucket,
            key=own.key,
            content_base64=base64.b64encode(own.packed).decode(),
            content_type="application/gzip",
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.site.storage.ready, retain_on_delete=True),
        )

    def _template(
        self, args: NodeGroupArgs, profile: aws.iam.InstanceProfile, bundle_key: str
    ) -> aws.ec2.LaunchTemplate:
        settings = args.settings
        # Neither default tags nor the group's reach disks and network interfaces.
        tags = names.tags(args.site.stack, args.role) | {"Name": self._name}
        disk = {
            "encrypted": "true",
            "volume_type": "gp3",
            "volume_size": settings.disk_gib,
            "delete_on_termination": "true",
        }
        return aws.ec2.LaunchTemplate(
            self._name,
            update_default_version=True,
            image_id=args.site.image.id,
            instance_type=settings.instance_type,
            key_name=args.site.access.key_name,
            user_data=_user_data(args, bundle_key),
            iam_instance_profile={"arn": profile.arn},
            vpc_security_group_ids=[args.security_group_id],
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": 1,
                "instance_metadata_tags": "enabled",
            },
            block_device_mappings=[{"device_name": args.site.image.root_device, "ebs": disk}],
            credit_specification={"cpu_credits": settings.cpu_credits.value} if settings.burstable else None,
            tag_specifications=[
                {"resource_type": kind, "tags": tags} for kind in ("instance", "volume", "network-interface")
            ],
            tags={"Name": self._name},
            opts=self._child,
        )

    def _group(
        self, args: NodeGroupArgs, template: aws.ec2.LaunchTemplate, after: Sequence[pulumi.Resource]
    ) -> aws.autoscaling.Group:
        settings, size = args.settings, args.size
        preferences: dict[str, Any] = REPLACE_WITH_SPARE | {
            "auto_rollback": True,
            "instance_warmup": str(settings.warmup_seconds),
        }
        tags = names.tags(args.site.stack, args.role) | {"Name": self._name}
        return aws.autoscaling.Group(
            self._name,
            min_size=size.minimum,
            desired_capacity=size.desired,
            max_size=size.maximum,
            vpc_zone_identifiers=args.site.network.private_ids,
            target_group_arns=[args.target_group_arn] if args.target_group_arn else None,
            initial_lifecycle_hooks=_launching(args),
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            health_check_type="ELB" if args.target_group_arn else "EC2",
            health_check_grace_period=settings.grace_seconds,
            default_instance_warmup=settings.warmup_seconds,
            instance_maintenance_policy=REPLACE_WITH_SPARE,
            # A replaced subnet cannot be deleted while old nodes live in it; a new template always triggers.
            instance_refresh={
                "strategy": "Rolling",
                "preferences": preferences,
                "triggers": ["vpc_zone_identifier"],
            },
            enabled_metrics=MEASURED,  # no charge, and an alarm reads them
            wait_for_capacity_timeout="0",  # the program waits, and says why when it is in vain
            tags=[{"key": key, "value": value, "propagate_at_launch": False} for key, value in tags.items()],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(after),
                ignore_changes=["desiredCapacity"] if size.owned_elsewhere else None,
                hooks=args.hooks,
            ),
        )


def _launching(args: NodeGroupArgs) -> list[dict[str, Any]] | None:
    """With the group and not beside it: it must be there before the first node is."""
    if args.launch_hook is None:
        return None
    hook = {
        "name": args.launch_hook,
        "lifecycle_transition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        "heartbeat_timeout": args.settings.grace_seconds,
        "default_result": "ABANDON",
    }
    return [hook]


def _user_data(args: NodeGroupArgs, bundle_key: str) -> pulumi.Output[str]:
    shared = {
        "stack": args.site.stack,
        "role": args.role,
        "region": args.site.region,
        "bucket": args.site.storage.bucket,
    }
    return pulumi.Output.from_input({**shared, **args.facts}).apply(
        lambda facts: userdata.encode(userdata.render(args.role, facts, args.site.access.authorized_keys, bundle_key))
    )
