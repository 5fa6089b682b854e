"""Whether image, instance types and releases agree, asked before the first resource.

The image is pinned by its id: "the most recent" would replace every node at each Debian release.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.reading import Problem
from infra.settings import Settings, SettingsError


@dataclass(frozen=True)
class Image:
    """`root_device` names the disk to encrypt: a mapping under another name would add a second disk."""

    id: str
    architecture: str
    root_device: str


def check(settings: Settings, provider: aws.Provider) -> Image:
    """The image of every node; raises `SettingsError` when a machine could not boot from it or run the releases."""
    options = pulumi.InvokeOptions(provider=provider)
    _reach(options)
    problems: list[Problem] = []
    image = _image(settings.image_id, options, problems)
    kinds = {"fleet": settings.fleet.node, "tracking": settings.tracking.node}
    kinds |= {"jobs.broker": settings.jobs.broker} if settings.jobs.enabled else {}
    kinds |= {"jobs.fleet": settings.jobs.fleet.node} if settings.jobs.on_workers else {}
    kinds |= {"pipeline.node": settings.pipeline.node} if settings.pipeline.enabled else {}
    for setting, node in kinds.items():
        problems += _type_problems(f"slipway:{setting}.instanceType", node.instance_type, image, options)
    if not problems and image.architecture != settings.bootstrap.architecture:
        reason = f"it is {image.architecture}, and the releases are built for {settings.bootstrap.architecture}"
        problems.append(Problem("slipway:imageId", image.id, reason, "Choose an image of that architecture."))
    if problems:
        raise SettingsError(problems)
    return image


def _reach(options: pulumi.InvokeOptions) -> None:
    """Tells a cloud that cannot be used from a setting that is wrong."""
    try:
        aws.get_caller_identity(opts=options)
    except Exception as error:  # the SDK raises no narrower type for a failed invoke
        raise pulumi.RunError(f"the cloud cannot be used, and nothing was changed: {_reason(error)}") from error


def _image(image_id: str, options: pulumi.InvokeOptions, problems: list[Problem]) -> Image:
    filters = [{"name": "image-id", "values": [image_id]}]
    try:
        found: Any = aws.ec2.get_ami(filters=filters, include_deprecated=True, opts=options)
    except Exception as error:  # the SDK raises no narrower type for a failed invoke
        problems.append(Problem("slipway:imageId", image_id, _reason(error), "Name an image that this region has."))
        return Image(image_id, "", "")
    return Image(image_id, found.architecture, found.root_device_name)


def _type_problems(setting: str, name: str, image: Image, options: pulumi.InvokeOptions) -> Iterator[Problem]:
    try:
        found: Any = aws.ec2.get_instance_type(instance_type=name, opts=options)
    except Exception as error:  # the SDK raises no narrower type for a failed invoke
        yield Problem(setting, name, f"EC2 does not know it here: {_reason(error)}", "Use another, like t3.medium.")
        return
    if image.architecture and image.architecture not in found.supported_architectures:
        reason = f"it runs {', '.join(found.supported_architectures)}, and image {image.id} is {image.architecture}"
        yield Problem(setting, name, reason, "Change the instance type or slipway:imageId.")


def _reason(error: Exception) -> str:
    """What the API said, without the engine's and the SDK's words before it."""
    return re.sub(r"^.*(?:returned an error|:get\w+ failed): ", "", str(error).strip(), flags=re.DOTALL).rstrip(".")
