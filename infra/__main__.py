"""The stack as a wiring diagram: settings, provider, components in the order of their dependence, exports."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the engine runs this file as a script in its folder

import pulumi

from infra import addresses, image, provider, settings
from infra.components.access import Access, AccessArgs
from infra.components.alarms import Alarms, AlarmsArgs
from infra.components.aliases import Aliases, AliasesArgs
from infra.components.balancer import Balancer, BalancerArgs
from infra.components.broker import Broker, BrokerArgs
from infra.components.certificate import Certificate, CertificateArgs
from infra.components.database import Database, DatabaseArgs
from infra.components.endpoints import Endpoints, EndpointsArgs
from infra.components.firewall import Firewall, FirewallArgs
from infra.components.fleet import Fleet, FleetArgs
from infra.components.jobs import Jobs, JobsArgs
from infra.components.network import Network, NetworkArgs
from infra.components.node_group import Site
from infra.components.parameters import Parameters, ParametersArgs
from infra.components.pipeline import Pipeline, PipelineArgs
from infra.components.pipeline_node import PipelineNode, PipelineNodeArgs
from infra.components.releases import Releases, ReleasesArgs
from infra.components.storage import Storage, StorageArgs
from infra.components.tracking import Tracking, TrackingArgs
from infra.health import HealthGate

s = settings.load()
aws = provider.make(s)
machine = image.check(s, aws)
opts = pulumi.ResourceOptions(providers=[aws])

network = Network(s.prefix, NetworkArgs(settings=s), opts)
firewall = Firewall(s.prefix, FirewallArgs(settings=s, network=network), opts)
endpoints = Endpoints(s.prefix, EndpointsArgs(settings=s, network=network, firewall=firewall), opts)
access = Access(s.prefix, AccessArgs(public_key=s.operator_public_key, network=network, firewall=firewall), opts)
storage = Storage(s.prefix, StorageArgs(settings=s.storage, jobs_days=s.jobs.bucket_days, orders=s.takes_orders), opts)
releases = Releases(s.prefix, ReleasesArgs(storage=storage, bootstrap=s.bootstrap, optional=s.optional_kinds), opts)
database = Database(s.prefix, DatabaseArgs(settings=s.database, network=network, firewall=firewall), opts)
parameters = Parameters(s.prefix, ParametersArgs(settings=s), opts)
jobs = Jobs(s.prefix, JobsArgs(settings=s, releases=releases), opts) if s.jobs.enabled else None
pipeline = Pipeline(s.prefix, PipelineArgs(settings=s, releases=releases), opts) if s.pipeline.enabled else None
certificate = Certificate(s.prefix, CertificateArgs(settings=s), opts)
balancer = Balancer(
    s.prefix, BalancerArgs(settings=s, network=network, firewall=firewall, certificate=certificate), opts
)
aliases = Aliases(s.prefix, AliasesArgs(settings=s, balancer=balancer), opts)
site = Site(
    stack=s.stack,
    region=s.region,
    image=machine,
    access=access,
    network=network,
    storage=storage,
    after=[
        *network.ready,
        *firewall.rules,
        *endpoints.ready,
        *storage.ready,
        *releases.ready,
        *parameters.ready,
        *(jobs.ready if jobs else []),
        *(pipeline.ready if pipeline else []),
        *balancer.rules,
    ],
)
fleet_gate = HealthGate.on("fleet", s.region, s.fleet.node.timeout_seconds)
tracking_gate = HealthGate.on("tracking", s.region, s.tracking.node.timeout_seconds)
fleet = Fleet(
    s.prefix,
    FleetArgs(
        site=site,
        settings=s.fleet,
        prediction_log=s.fleet.prediction_log,
        parameters=parameters,
        firewall=firewall,
        balancer=balancer,
        jobs=jobs,
        works=not s.jobs.on_workers,
        concurrency=s.jobs.concurrency,
        hooks=fleet_gate.hooks(),
    ),
    opts,
)
url = balancer.dns_name.apply(lambda dns: addresses.url(s, dns))
tracking = Tracking(
    s.prefix,
    TrackingArgs(
        site=site,
        settings=s.tracking,
        mlflow=s.mlflow,
        delivery=s.delivery,
        url=url,
        asked_from=s.network.cidr if s.pipeline.enabled else None,
        orders=s.takes_orders,
        parameters=parameters,
        database=database,
        releases=releases,
        firewall=firewall,
        balancer=balancer,
        hooks=tracking_gate.hooks(),
    ),
    opts,
)
groups = {"serving": fleet.group_name, "tracking": tracking.group_name}
if jobs:
    broker_gate = HealthGate.announced("broker", s.region, s.jobs.broker.timeout_seconds, jobs.address_name)
    broker = Broker(
        s.prefix,
        BrokerArgs(
            site=site,
            settings=s.jobs.broker,
            jobs=jobs,
            parameters=parameters,
            database=database,
            firewall=firewall,
            hooks=broker_gate.hooks(),
        ),
        opts,
    )
    groups["broker"] = broker.group_name
    pulumi.export("broker_group", broker_gate.confirm(broker.group_name))
if s.jobs.on_workers:
    worker_gate = HealthGate.on("worker", s.region, s.jobs.fleet.node.timeout_seconds)
    workers = Fleet(
        s.prefix,
        FleetArgs(
            site=site,
            settings=s.jobs.fleet,
            prediction_log=s.fleet.prediction_log,
            parameters=parameters,
            firewall=firewall,
            balancer=balancer,
            jobs=jobs,
            works=True,
            concurrency=s.jobs.concurrency_of_workers,
            hooks=worker_gate.hooks(),
        ),
        opts,
    )
    groups["worker"] = workers.group_name
    pulumi.export("worker_group", worker_gate.confirm(workers.group_name))
if pipeline:
    pipeline_gate = HealthGate.announced("pipeline", s.region, s.pipeline.node.timeout_seconds, pipeline.address_name)
    pipeline_node = PipelineNode(
        s.prefix,
        PipelineNodeArgs(
            site=site,
            settings=s.pipeline.node,
            mlflow=s.mlflow,
            orders=s.takes_orders,
            balancer=balancer,
            pipeline=pipeline,
            parameters=parameters,
            database=database,
            firewall=firewall,
            hooks=pipeline_gate.hooks(),
        ),
        opts,
    )
    groups["pipeline"] = pipeline_node.group_name
    pulumi.export("pipeline_group", pipeline_gate.confirm(pipeline_node.group_name))
    pulumi.export("pipeline", s.pipeline.facts())
    pulumi.export("pipeline_secret_arn", pipeline.secret_arn)
if s.alarms.enabled:
    Alarms(s.prefix, AlarmsArgs(settings=s, balancer=balancer, groups=groups, database=database), opts)

pulumi.export("url", url)
pulumi.export("mlflow_url", balancer.dns_name.apply(lambda dns: addresses.mlflow_url(s.mlflow, dns)))
pulumi.export("bucket", storage.bucket)
pulumi.export("deployment_parameter", parameters.deployment_name)
pulumi.export("fleet_group", fleet_gate.confirm(fleet.group_name))
pulumi.export("tracking_group", tracking_gate.confirm(tracking.group_name))
pulumi.export("mlflow_admin_secret_arn", parameters.admin_secret_arn)
pulumi.export("region", s.region)
pulumi.export("delivery", parameters.delivery)
pulumi.export("load_balancer_arn", balancer.arn)
