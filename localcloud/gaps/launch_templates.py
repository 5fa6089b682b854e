"""Launch template versions that build on each other, and templates that hold what was given and nothing else.

Moto ignores SourceVersion, mixes the template's own tags into the tags of what it launches, and cannot delete versions.
Fixed when a version made from `SourceVersion` keeps the image of its source, and moto 5.2.5's `TagSpecifications` of a
template no longer list `launch-template`.
"""

from copy import deepcopy
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.utils import parse_user_data

from localcloud.gaps.patch import AnyFunction, replace

Data = dict[str, Any]


def resolve(backend: Any, specification: Data) -> Any:
    """The version that `{"LaunchTemplateId" | "LaunchTemplateName", "Version"}` means; `$Default` without a version."""
    if specification.get("LaunchTemplateId"):
        template = backend.get_launch_template(specification["LaunchTemplateId"])
    else:
        template = backend.get_launch_template_by_name(specification.get("LaunchTemplateName"))
    return version_of(template, specification.get("Version") or "$Default")


def version_of(template: Any, wanted: Any) -> Any:
    if str(wanted) in ("$Default", "$Latest"):
        return template.get_version(wanted)
    for version in template.versions:
        if str(version.number) == str(wanted):
            return version
    raise EC2ClientError(
        "InvalidLaunchTemplateId.VersionNotFound",
        f"Could not find launch template version {wanted} of launch template {template.id}.",
    )


def _create(_original: AnyFunction, self: Any) -> Any:
    name = self._get_param("LaunchTemplateName")
    data = deepcopy(dict(self._get_param("LaunchTemplateData", {})))
    data["UserData"] = parse_user_data(data.get("UserData"))
    tags = self._parse_tag_specification("launch-template")
    self.error_on_dryrun()
    template = self.ec2_backend.create_launch_template(name, self._get_param("VersionDescription"), data, tags)
    return ActionResult({"LaunchTemplate": _template(self, template)})


def _create_version(original: AnyFunction, self: Any) -> Any:
    given = deepcopy(dict(self._get_param("LaunchTemplateData", {})))
    source = self._get_param("SourceVersion")
    data: Data = {}
    if source:
        specification = {key: self._get_param(key) for key in ("LaunchTemplateId", "LaunchTemplateName")}
        data = deepcopy(resolve(self.ec2_backend, {**specification, "Version": source}).data)
    if given.get("UserData"):
        given["UserData"] = parse_user_data(given["UserData"])
    self.params["LaunchTemplateData"] = data | given
    return original(self)


def _template(response: Any, template: Any) -> Data:
    return {
        "CreateTime": template.create_time,
        "CreatedBy": f"arn:{response.partition}:iam::{response.current_account}:root",
        "DefaultVersionNumber": template.default_version_number,
        "LatestVersionNumber": template.latest_version_number,
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "Tags": template.get_tags(),
    }


def _describe(_original: AnyFunction, self: Any) -> Any:
    ids, names = self._get_param("LaunchTemplateIds", []), self._get_param("LaunchTemplateNames", [])
    for missing in (template_id for template_id in ids if template_id not in self.ec2_backend.launch_templates):
        self.ec2_backend.get_launch_template(missing)
    templates = self.ec2_backend.describe_launch_templates(
        template_names=names, template_ids=ids, filters=self._filters_from_querystring()
    )
    return ActionResult({"LaunchTemplates": [_template(self, template) for template in templates]})


def install() -> None:
    replace(LaunchTemplates, "create_launch_template", _create)
    replace(LaunchTemplates, "create_launch_template_version", _create_version)
    replace(LaunchTemplates, "describe_launch_templates", _describe)
