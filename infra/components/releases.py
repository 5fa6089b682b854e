"""The first releases and the first deployment, uploaded once so that `pulumi up` alone suffices.

Only a rollout writes these prefixes afterwards: hence `ignore_changes`, and `retain_on_delete`,
else a later upload would delete what a rollback needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from contract import S3
from infra.bootstrap import Bootstrap
from infra.components.storage import Storage

SUFFIX = ".tar.zst"
OWNED_BY_ROLLOUTS = ["key", "source", "sourceHash", "content", "contentType", "etag"]


@dataclass(frozen=True, kw_only=True)
class ReleasesArgs:
    """`optional` are the kinds that what is turned on needs, beside those of every stack."""

    storage: Storage
    bootstrap: Bootstrap
    optional: Sequence[str]


class Releases(pulumi.ComponentResource):
    """Digests are of the releases that were uploaded first, whatever the checkout holds by now; `digests` by kind, of
    the optional ones.
    """

    control_digest: pulumi.Output[str]
    digests: dict[str, pulumi.Output[str]]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: ReleasesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:storage:Releases", name, None, opts)
        boot = args.bootstrap
        files = {
            "server": (f"{S3.releases}{boot.server.identity}{SUFFIX}", boot.server.file, "application/zstd"),
            "control": (f"{S3.releases}{boot.control.identity}{SUFFIX}", boot.control.file, "application/zstd"),
            "deployment": (
                f"{S3.deployments}{boot.deployment.identity}.json",
                boot.deployment.file,
                "application/json",
            ),
        }
        for kind in args.optional:
            made = boot.optional[kind]
            files[kind] = (f"{S3.releases}{made.identity}{SUFFIX}", made.file, "application/zstd")
        objects = {
            kind: aws.s3.BucketObjectv2(
                f"{name}-{kind}",
                bucket=args.storage.bucket,
                key=key,
                source=pulumi.FileAsset(str(file)),
                content_type=content_type,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=args.storage.ready,
                    retain_on_delete=True,
                    ignore_changes=OWNED_BY_ROLLOUTS,
                ),
            )
            for kind, (key, file, content_type) in files.items()
        }
        self.ready = list(objects.values())
        self.control_digest = objects["control"].key.apply(_digest)
        self.digests = {kind: objects[kind].key.apply(_digest) for kind in args.optional}
        self.register_outputs({"control_digest": self.control_digest})


def _digest(key: str) -> str:
    return key.removeprefix(S3.releases).removesuffix(SUFFIX)
