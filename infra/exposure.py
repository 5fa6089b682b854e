"""The settings of what the world sees: the balancer, names and certificates, and how MLflow is reached."""

from dataclasses import dataclass

from infra.reading import Section

HOST = r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
ARN = r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/\S+"
ARN_EXAMPLE = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-…"


@dataclass(frozen=True, kw_only=True)
class BalancerSettings:
    http_port: int
    protected: bool

    @classmethod
    def read(cls, s: Section) -> "BalancerSettings":
        settings = cls(http_port=s.number("httpPort", 1, 65535, 80), protected=s.flag("protected", True))
        s.finish()
        return settings


@dataclass(frozen=True, kw_only=True)
class DomainSettings:
    """HTTPS is on when there is a certificate to give or, with a zone, one to make."""

    name: str | None
    zone_id: str | None
    certificate_arn: str | None

    @property
    def https(self) -> bool:
        return bool(self.certificate_arn or (self.name and self.zone_id))

    @classmethod
    def read(cls, s: Section) -> "DomainSettings":
        settings = cls(
            name=s.optional("name", HOST, "models.example.com"),
            zone_id=s.optional("zoneId", r"Z[A-Z0-9]{1,31}", "Z0123456789ABCDEFGHIJ"),
            certificate_arn=s.optional("certificateArn", ARN, ARN_EXAMPLE),
        )
        s.finish()
        return settings


@dataclass(frozen=True, kw_only=True)
class MlflowSettings:
    """How MLflow is reached: a host name under HTTPS, a port of its own (loopback only), or not at all."""

    host_name: str | None
    listener_port: int | None
    certificate_arn: str | None

    @classmethod
    def read(cls, s: Section) -> "MlflowSettings":
        settings = cls(
            host_name=s.optional("hostName", HOST, "mlflow.example.com"),
            listener_port=s.number("listenerPort", 1, 65535, 0) or None,
            certificate_arn=s.optional("certificateArn", ARN, ARN_EXAMPLE),
        )
        s.finish()
        return settings
