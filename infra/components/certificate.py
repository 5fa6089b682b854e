"""The certificate that makes HTTPS."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import addresses
from infra.settings import Settings

TTL_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    settings: Settings


class Certificate(pulumi.ComponentResource):
    """The certificate of the balancer: a given one, one that ACM renews while its records stand, or none."""

    arn: pulumi.Input[str] | None

    def __init__(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:domain:Certificate", name, None, opts)
        domain = args.settings.domain
        self.arn = domain.certificate_arn
        if domain.zone_id and not domain.certificate_arn:
            self.arn = self._make(name, addresses.host_names(args.settings), domain.zone_id)
        self.register_outputs({"arn": self.arn})

    def _make(self, name: str, names: Sequence[str], zone_id: str) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        certificate = aws.acm.Certificate(
            f"{name}-certificate",
            domain_name=names[0],
            subject_alternative_names=list(names[1:]) or None,
            validation_method="DNS",
            tags={"Name": f"{name}-certificate"},
            opts=child,
        )
        records = [self._record(f"{name}-validate-{host}", certificate, host, zone_id) for host in names]
        validated = aws.acm.CertificateValidation(
            f"{name}-certificate",
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn for record in records],
            opts=child,
        )
        return pulumi.Output.from_input(validated.certificate_arn)

    def _record(self, label: str, certificate: aws.acm.Certificate, host: str, zone_id: str) -> aws.route53.Record:
        def option(field: str) -> pulumi.Output[str]:
            options: pulumi.Output[Any] = certificate.domain_validation_options
            return options.apply(lambda found: _of(found, host, field))

        return aws.route53.Record(
            label,
            zone_id=zone_id,
            name=option("resource_record_name"),
            type=option("resource_record_type"),
            records=[option("resource_record_value")],
            ttl=TTL_SECONDS,
            allow_overwrite=True,
            opts=pulumi.ResourceOptions(parent=self),
        )


def _of(options: Sequence[Any], host: str, field: str) -> str:
    """ACM lists validation options in an order of its own."""
    return next(str(getattr(option, field)) for option in options if option.domain_name == host)
