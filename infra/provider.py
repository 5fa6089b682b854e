"""The one provider seam: region and default tags. No endpoint stands in code: it comes from the environment."""

import pulumi_aws as aws

from infra import names
from infra.settings import Settings


def make(settings: Settings) -> aws.Provider:
    """Default tags reach what Pulumi creates, not what an ASG launches: that is tagged by its launch template."""
    return aws.Provider(
        f"{settings.prefix}-aws",
        region=settings.region,
        default_tags=aws.ProviderDefaultTagsArgs(tags=names.tags(settings.stack)),
    )
