"""The stack's settings: the only reader of `pulumi.Config`.

Everything is validated before the first resource exists, so that a mistake costs one message and nothing half-made.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from infra import names
from infra.bootstrap import Bootstrap
from infra.cidr import Tier, plan
from infra.delivery import DeliverySettings
from infra.exposure import BalancerSettings, DomainSettings, MlflowSettings
from infra.jobs import JobsSettings
from infra.pipeline import PipelineSettings
from infra.reading import Problem, Section
from infra.rules import contradictions
from infra.sections import (
    AlarmSettings,
    DatabaseSettings,
    FleetSettings,
    NetworkSettings,
    OperatorAccess,
    StorageSettings,
    TrackingSettings,
)

ROOT = Path(__file__).resolve().parents[1]
KEY_FILE_VARIABLE = "SLIPWAY_OPERATOR_PUBLIC_KEY_FILE"
PUBLIC_KEY = r"(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/]+=*( [^\n]*)?"
OTHER_KEYS = ("ecdsa-", "sk-", "ssh-dss ")
RELEASES = ".slipway/releases/bootstrap.json"


class SettingsError(pulumi.RunError):
    """What is wrong with the settings, one line each. A RunError is shown without a traceback."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"the stack's settings cannot be used, and nothing was changed:\n{lines}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    stack: str
    region: str
    image_id: str
    allowed_cidrs: tuple[IPv4Network, ...]
    operator_access: OperatorAccess
    operator_cidrs: tuple[IPv4Network, ...]
    operator_public_key: str | None
    secret_recovery_days: int
    network: NetworkSettings
    storage: StorageSettings
    database: DatabaseSettings
    tracking: TrackingSettings
    fleet: FleetSettings
    alarms: AlarmSettings
    delivery: DeliverySettings
    balancer: BalancerSettings
    domain: DomainSettings
    mlflow: MlflowSettings
    jobs: JobsSettings
    pipeline: PipelineSettings
    bootstrap: Bootstrap

    @property
    def prefix(self) -> str:
        return names.prefix(self.stack)

    @property
    def optional_releases(self) -> dict[str, tuple[str, ...]]:
        """The kinds that the settings ask for, by the group that turns them on."""
        groups = {"jobs": (self.jobs.enabled, ("jobs",)), "pipeline": (self.pipeline.enabled, ("airflow", "training"))}
        return {name: kinds for name, (enabled, kinds) in groups.items() if enabled}

    @property
    def optional_kinds(self) -> list[str]:
        return [kind for kinds in self.optional_releases.values() for kind in kinds]

    @property
    def takes_orders(self) -> bool:
        """Whether the tracking node carries out releases that are pushed to the pipeline node."""
        return self.pipeline.enabled and self.delivery.follow_alias

    @property
    def subnets(self) -> dict[str, dict[Tier, IPv4Network]]:
        return plan(self.network.cidr, self.network.zones, self.network.subnets)


def load() -> Settings:
    """The settings of the stack at hand; raises `SettingsError` with every problem found."""
    values = {**get_config_env(), **CONFIG.get()}
    return read(pulumi.get_stack(), values, os.environ)


def read(stack: str, values: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """`values` are as Pulumi has them: `namespace:key` → text, groups and lists as JSON."""
    problems: list[Problem] = []
    if not names.valid_stack(stack):
        way_out = f"At most {names.STACK_MAX} of a-z, 0-9 and single -, a letter first: names made from it have limits."
        problems.append(Problem("the stack's name", stack, "it cannot be part of resource names", way_out))
    region = _region(values, problems)
    project = Section("", {k.split(":", 1)[1]: _parsed(v) for k, v in values.items() if _ours(k)}, problems)
    settings = _settings(stack, region, project, environment)
    project.finish()
    problems += [] if problems else contradictions(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def _settings(stack: str, region: str, project: Section, environment: Mapping[str, str]) -> Settings:
    access = project.choice("operatorAccess", OperatorAccess, OperatorAccess.NONE)
    return Settings(
        stack=stack,
        region=region,
        image_id=project.text("imageId", r"ami-([0-9a-f]{8}|[0-9a-f]{17})", "ami-0123456789abcdef0"),
        allowed_cidrs=project.networks("allowedCidrs", required=True),
        operator_access=access,
        operator_cidrs=project.networks("operatorCidrs", required=access is OperatorAccess.DIRECT),
        operator_public_key=_public_key(project, environment, required=access is not OperatorAccess.NONE),
        secret_recovery_days=_recovery_days(project),
        network=NetworkSettings.read(project.section("network")),
        storage=StorageSettings.read(project.section("storage")),
        database=DatabaseSettings.read(project.section("database")),
        tracking=TrackingSettings.read(project.section("tracking")),
        fleet=FleetSettings.read(project.section("fleet")),
        alarms=AlarmSettings.read(project.section("alarms")),
        delivery=DeliverySettings.read(project.section("delivery")),
        balancer=BalancerSettings.read(project.section("balancer")),
        domain=DomainSettings.read(project.section("domain")),
        mlflow=MlflowSettings.read(project.section("mlflow")),
        jobs=JobsSettings.read(project.section("jobs")),
        pipeline=PipelineSettings.read(project.section("pipeline")),
        bootstrap=_bootstrap(project),
    )


def _ours(key: str) -> bool:
    return key.startswith(f"{names.PROJECT}:")


def _parsed(value: Any) -> Any:
    """Groups, lists, numbers and truth values arrive as JSON text, everything else as it is."""
    if isinstance(value, str) and (value[:1] in "[{" or value in ("true", "false")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _region(values: Mapping[str, Any], problems: list[Problem]) -> str:
    return Section("aws", {"region": values.get("aws:region")}, problems).text(
        "region", r"[a-z]{2}(-[a-z]+)+-\d", "us-east-1"
    )


def _recovery_days(project: Section) -> int:
    days = project.number("secretRecoveryDays", 0, 30, 30)
    if 0 < days < 7:
        project.problem(
            "secretRecoveryDays", "Secrets Manager knows 0 or 7 to 30 days", "Use 0 to delete at once, or 7."
        )
    return days


def _public_key(project: Section, environment: Mapping[str, str], required: bool) -> str | None:
    """A setting, or the file that the environment names, so that a machine's own key stays out of git."""
    file = environment.get(KEY_FILE_VARIABLE)
    if "operatorPublicKey" in project.data or not file:
        return _key(project, required)
    project.seen.add("operatorPublicKey")
    try:
        text = Path(file).read_text().strip()
    except OSError as error:
        project.problems.append(
            Problem(KEY_FILE_VARIABLE, file, f"{error.strerror}", "Name a readable public key file.")
        )
        return None
    named = Section("", {"operatorPublicKey": text}, project.problems)
    return _key(named, required=True)


def _key(section: Section, required: bool) -> str | None:
    """What EC2 refuses as a key pair is refused here, before anything is made."""
    if str(section.data.get("operatorPublicKey")).startswith(OTHER_KEYS):
        section.take("operatorPublicKey")
        section.problem("operatorPublicKey", "EC2 takes ED25519 and RSA keys only", "Make one: ssh-keygen -t ed25519.")
        return None
    read_key = section.text if required else section.optional
    return read_key("operatorPublicKey", PUBLIC_KEY, "ssh-ed25519 AAAAC3Nza… you@example.com") or None


def _bootstrap(project: Section) -> Bootstrap:
    file = ROOT / project.text("releases", r".+", RELEASES, default=RELEASES)
    try:
        return Bootstrap.read(file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        project.problems.append(
            Problem("slipway:releases", str(file), f"there is no usable release ({error})", "Run `make release` first.")
        )
        return Bootstrap.missing()
