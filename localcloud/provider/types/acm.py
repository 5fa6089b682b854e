"""Certificates: requested ones, which DNS records validate, and imported ones."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.errors import WaitError
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import arn, length, matches, one_of
from localcloud.provider.schema import TAGS, text, texts
from localcloud.provider.tags import from_pairs, pairs, retag

DOMAIN = matches(r"(\*\.)?([A-Za-z0-9_]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}\.?", "be a domain name")
KEYS = ("RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1")
PENDING = "PENDING_VALIDATION"


def _look(call: Call, arn: str) -> dict[str, Any]:
    return dict(call.client("acm").describe_certificate(CertificateArn=arn)["Certificate"])


class Certificate(Resource):
    token = "aws:acm/certificate:Certificate"
    inputs = {
        "domainName": text(length(1, 253), DOMAIN, computed=True, replace=True),
        "subjectAlternativeNames": texts(length(1, 253), DOMAIN, computed=True, replace=True, unordered=True),
        "validationMethod": text(one_of("DNS", "EMAIL"), computed=True, replace=True),
        "keyAlgorithm": text(one_of(*KEYS), computed=True, replace=True),
        "certificateBody": text(local=True),
        "certificateChain": text(local=True),
        "privateKey": text(local=True, secret=True),
        **TAGS,
    }
    outputs = ("arn", "domainValidationOptions", "notAfter", "notBefore", "renewalEligibility", "status", "type")

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        imported = args.get("certificateBody") is not None
        if imported == (args.get("domainName") is not None):
            yield "domainName", "either a domain name to request a certificate for, or a certificateBody to import"
        if imported and args.get("privateKey") is None:
            yield "privateKey", "an imported certificate needs its private key"
        if not imported and args.get("validationMethod") is None:
            yield "validationMethod", "a requested certificate needs one"

    def create(self, call: Call, args: Args) -> str:
        client = call.client("acm")
        tagged = {"Tags": pairs(args["tagsAll"])} if args["tagsAll"] else {}
        if args.get("certificateBody"):
            return str(client.import_certificate(**_material(args), **tagged)["CertificateArn"])
        given = {
            "SubjectAlternativeNames": args.get("subjectAlternativeNames"),
            "ValidationMethod": args.get("validationMethod"),
            "KeyAlgorithm": args.get("keyAlgorithm"),
        }
        request = {key: value for key, value in given.items() if value}
        return str(client.request_certificate(DomainName=args["domainName"], **request, **tagged)["CertificateArn"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        if args.get("validationMethod") != "DNS":
            return

        def ready() -> bool | None:
            options = _look(call, id).get("DomainValidationOptions") or []
            return (bool(options) and all("ResourceRecord" in each for each in options)) or None

        call.wait(ready, "the records that validate the certificate", 75)

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        found = _look(call, id)
        options = found.get("DomainValidationOptions") or []
        tags = call.client("acm").list_tags_for_certificate(CertificateArn=id).get("Tags")
        return {
            "arn": id,
            "domainName": found.get("DomainName"),
            "subjectAlternativeNames": self._names(found, state),
            "validationMethod": options[0].get("ValidationMethod") if options else None,
            "keyAlgorithm": str(found.get("KeyAlgorithm", "")).replace("RSA-", "RSA_") or None,
            "domainValidationOptions": [_option(each) for each in options if "ResourceRecord" in each],
            "notAfter": _time(found.get("NotAfter")),
            "notBefore": _time(found.get("NotBefore")),
            "renewalEligibility": found.get("RenewalEligibility"),
            "status": found["Status"],
            "type": found.get("Type"),
            "tagsAll": from_pairs(tags),
        }

    @staticmethod
    def _names(found: dict[str, Any], state: State) -> list[str]:
        """ACM counts the domain among its alternatives; the program need not."""
        names = list(found.get("SubjectAlternativeNames") or [])
        given = state.get("subjectAlternativeNames")
        if given and found.get("DomainName") not in given:
            names = [name for name in names if name != found.get("DomainName")]
        return names

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        client = call.client("acm")
        if changed & {"certificateBody", "certificateChain", "privateKey"}:
            client.import_certificate(CertificateArn=id, **_material(new))
        retag(
            old,
            new,
            lambda keys: client.remove_tags_from_certificate(CertificateArn=id, Tags=[{"Key": key} for key in keys]),
            lambda tags: client.add_tags_to_certificate(CertificateArn=id, Tags=tags),
        )

    def delete(self, call: Call, id: str, state: State) -> None:
        client = call.client("acm")
        busy = ("ResourceInUseException",)
        call.retry(lambda: client.delete_certificate(CertificateArn=id), busy, "the certificate is in use", 1200)


def _material(args: Args) -> dict[str, bytes]:
    keys = {"Certificate": "certificateBody", "CertificateChain": "certificateChain", "PrivateKey": "privateKey"}
    return {key: str(args[name]).encode() for key, name in keys.items() if args.get(name)}


def _option(option: dict[str, Any]) -> dict[str, str]:
    record = option["ResourceRecord"]
    return {
        "domainName": option["DomainName"],
        "resourceRecordName": record["Name"],
        "resourceRecordType": record["Type"],
        "resourceRecordValue": record["Value"],
    }


def _time(value: Any) -> str | None:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if value else None


class CertificateValidation(Resource):
    """No thing of AWS's: it is the waiting for a certificate to be issued."""

    token = "aws:acm/certificateValidation:CertificateValidation"
    inputs = {
        "certificateArn": text(arn("acm"), required=True, replace=True),
        "validationRecordFqdns": texts(replace=True, unordered=True, local=True),
    }

    def create(self, call: Call, args: Args) -> str:
        target = str(args["certificateArn"])
        expected = {str(fqdn).rstrip(".").lower() for fqdn in args.get("validationRecordFqdns") or []}
        options = _look(call, target).get("DomainValidationOptions") or []
        needed = {each["ResourceRecord"]["Name"].rstrip(".").lower() for each in options if "ResourceRecord" in each}
        if expected and needed - expected:
            raise WaitError(f"missing DNS validation records: {', '.join(sorted(needed - expected))}")

        def issued() -> dict[str, Any] | None:
            found = _look(call, target)
            call.progress(found["Status"])
            if found["Status"] not in ("ISSUED", PENDING):
                raise WaitError(
                    f"the certificate is {found['Status']}: {found.get('FailureReason', 'no reason given')}"
                )
            return found if found["Status"] == "ISSUED" else None

        found = call.wait(issued, "the certificate to be issued", 4500)
        return _time(found.get("IssuedAt")) or target

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        found = _look(call, str(state["certificateArn"]))
        return {"certificateArn": state["certificateArn"]} if found["Status"] == "ISSUED" else None

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        """Every input replaces."""

    def delete(self, call: Call, id: str, state: State) -> None:
        """There is nothing to delete."""


RESOURCES = (Certificate, CertificateValidation)
