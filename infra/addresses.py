"""Where the stack answers: ports, URLs and host names, from the settings and the balancer's own name."""

from ipaddress import IPv4Network

from infra.exposure import MlflowSettings
from infra.routes import HTTPS_PORT
from infra.settings import Settings

HTTP_PORT = 80


def listener_ports(settings: Settings) -> list[int]:
    """Every port that the balancer listens on."""
    ports = [settings.balancer.http_port]
    ports += [HTTPS_PORT] if settings.domain.https else []
    return ports + ([settings.mlflow.listener_port] if settings.mlflow.listener_port else [])


def host_names(settings: Settings) -> list[str]:
    """The names of our own, the main one first."""
    return [name for name in (settings.domain.name, settings.mlflow.host_name) if name]


def url(settings: Settings, balancer_dns_name: str) -> str:
    host = settings.domain.name or balancer_dns_name
    if settings.domain.https:
        return f"https://{host}"
    return f"http://{host}{_port(settings.balancer.http_port)}"


def mlflow_url(mlflow: MlflowSettings, balancer_dns_name: str) -> str | None:
    if mlflow.host_name:
        return f"https://{mlflow.host_name}"
    return f"http://{balancer_dns_name}{_port(mlflow.listener_port)}" if mlflow.listener_port else None


def mlflow_hosts(mlflow: MlflowSettings, balancer_dns_name: str) -> list[str]:
    """The Host headers that MLflow may answer; it refuses every other."""
    if mlflow.host_name:
        return [mlflow.host_name]
    return [balancer_dns_name, f"{balancer_dns_name}:*"] if mlflow.listener_port else []


def inside(network: IPv4Network) -> str:
    """A pattern of the Host headers by which a stack's own nodes ask each other: addresses of its network, no names."""
    whole = network.network_address.exploded.split(".")[: network.prefixlen // 8]
    return ".".join([*whole, "*"])


def _port(port: int) -> str:
    return "" if port == HTTP_PORT else f":{port}"
