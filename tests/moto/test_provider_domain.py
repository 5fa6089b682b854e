"""Names and certificates: a zone that exists, a certificate that its records validate, an alias of a balancer."""

from collections.abc import Callable

import pytest

from tests.moto.cloud import client
from tests.moto.engine import Stack

DOMAIN = """
import pulumi, pulumi_aws as aws
zone = "{zone}"
names = ["models.example.com", "mlflow.example.com"]
certificate = aws.acm.Certificate("certificate", domain_name=names[0], subject_alternative_names=names[1:],
    validation_method="DNS")
def option(host, key):
    return certificate.domain_validation_options.apply(
        lambda found: next(getattr(each, key) for each in found if each.domain_name == host))
records = [aws.route53.Record("validate-" + host, zone_id=zone, name=option(host, "resource_record_name"),
    type=option(host, "resource_record_type"), records=[option(host, "resource_record_value")], ttl=300,
    allow_overwrite=True) for host in names]
valid = aws.acm.CertificateValidation("certificate", certificate_arn=certificate.arn,
    validation_record_fqdns=[record.fqdn for record in records])
alias = aws.route53.Record("alias", zone_id=zone, name=names[0], type="A", aliases=[{{"name": "{target}",
    "zone_id": "Z35SXDOTRQ7X7K", "evaluate_target_health": False}}])
words = aws.route53.Record("words", zone_id=zone, name="words", type="TXT", ttl=60, records=["said so"])
"""


@pytest.mark.long
def test_a_domain_lives_from_up_to_destroy(stack: Callable[..., Stack], cloud: str) -> None:
    route53 = client("route53", cloud)
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"].split("/")[-1]
    domain = stack(DOMAIN.format(zone=zone, target="a.elb.amazonaws.com"), **{"aws:region": "us-east-1"})
    domain.up()
    assert domain.resource("words")["outputs"]["fqdn"] == "words.example.com"
    domain.up("--expect-no-changes")
    domain.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")

    domain.write(DOMAIN.format(zone=zone, target="b.elb.amazonaws.com"))
    assert [step["op"] for step in domain.preview()] == ["update"]
    domain.up()
    domain.destroy()
    left = {each["Type"] for each in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]}
    assert left <= {"NS", "SOA"}
    assert client("acm", cloud).list_certificates()["CertificateSummaryList"] == []
