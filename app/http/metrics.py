"""`/metrics`: what all workers of this slot counted, in Prometheus' text format or OpenMetrics, as the scraper asks.

Any worker answers for all (`app/core/meters.py`). Labels come from the deployment and from closed lists, never from a
request, so that nothing a client sends makes a new series. `worker` is a place among those that live, for the same
reason: a worker that is replaced makes no new series either.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from app.core import meters
from app.core.samples import RESULTS
from app.core.serving import Serving
from app.core.snapshots import Series, Snapshot, summed
from app.http.about import build, models
from app.http.state import serving

routes = Blueprint("metrics", __name__)

HISTOGRAMS = {
    meters.REQUEST: ("slipway_request_duration_seconds", "From a request's arrival to its answer."),
    meters.QUEUE: ("slipway_queue_duration_seconds", "How long the oldest request of a predict had waited for it."),
    meters.PREDICT: ("slipway_predict_duration_seconds", "One predict of the model, however many requests it answers."),
    meters.BATCH_ROWS: ("slipway_batch_rows", "Rows in one predict."),
    meters.BATCH_REQUESTS: ("slipway_batch_requests", "Requests that one predict answers."),
}
GAUGES: tuple[tuple[str, str, Callable[[dict[str, Any]], float]], ...] = (
    ("slipway_worker_start_time_seconds", "When the worker started.", lambda about: about["since"]),
    ("slipway_worker_memory_bytes", "Its proportional share (PSS).", lambda about: about["memory_bytes"]),
    ("slipway_worker_ready", "Whether all its models are ready.", lambda about: about["ready"]),
    ("slipway_in_flight_requests", "Predictions that wait or run in the worker.", lambda about: about["in_flight"]),
)
MODEL = ["model", "version", "alias"]
Aliases = Mapping[tuple[str, str], str]


@routes.get("/metrics")
def metrics() -> Response:
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(_Families(serving())), content_type=content_type)


class _Families(Collector):
    def __init__(self, here: Serving) -> None:
        self._here = here

    def collect(self) -> Iterator[Metric]:
        workers, past = self._here.meters.collect()
        series = summed([past, *(worker.series for worker in workers)])
        aliases = {(model.name, model.version): model.alias or "" for model in self._here.deployment.models}
        yield from _information(self._here)
        yield from _workers(self._here, workers, series)
        yield from _counters(series, aliases)
        for family in HISTOGRAMS:
            yield _histogram(family, series, aliases)


def _information(here: Serving) -> Iterator[Metric]:
    yield InfoMetricFamily("slipway_build", "The release that serves.", value=build(here))
    deployment = {"deployment": here.deployment.id, "slot": here.slot}
    yield InfoMetricFamily("slipway_deployment", "The deployment that is served.", value=deployment)
    about = InfoMetricFamily("slipway_model", "A model of the deployment.", labels=[])
    compiled = GaugeMetricFamily("slipway_model_compiled", "1: its compiled form serves, 0: its own.", labels=MODEL)
    difference = GaugeMetricFamily(
        "slipway_model_compiled_difference",
        "The largest relative difference between both forms' answers.",
        labels=MODEL,
    )
    for facts in models(here):
        name = [facts["name"], facts["version"], facts["alias"] or ""]
        known = {key: str(facts[key] or "") for key in ("run_id", "source", "digest", "kind")}
        named = dict(zip(MODEL, name, strict=True))
        about.add_metric([], {**named, "default": str(facts["default"]).lower(), **known})
        if facts["kind"]:
            compiled.add_metric(name, facts["kind"] == "compiled")
        if facts["largest_difference"] is not None:
            difference.add_metric(name, facts["largest_difference"])
    yield from (about, compiled, difference)


def _workers(here: Serving, workers: list[Snapshot], series: Series) -> Iterator[Metric]:
    yield GaugeMetricFamily("slipway_workers", "Workers that this server should have.", value=here.board.workers)
    ended = series.get((meters.EXIT,), [0])[0]
    yield CounterMetricFamily("slipway_worker_exits", "Workers that ended since the deployment started.", value=ended)
    for name, documentation, value in GAUGES:
        gauge = GaugeMetricFamily(name, documentation, labels=["worker"])
        for place, worker in enumerate(workers):
            gauge.add_metric([str(place)], value(worker.about))
        yield gauge
    ready = GaugeMetricFamily("slipway_model_ready_workers", "Workers in which the model is ready.", labels=MODEL)
    for version in here.deployment.models:
        states = [model for worker in workers for model in worker.about["models"] if model["name"] == version.name]
        labels = [version.name, version.version, version.alias or ""]
        ready.add_metric(labels, sum(model["status"] == "ready" for model in states))
    yield ready


def _counters(series: Series, aliases: Aliases) -> Iterator[Metric]:
    requests = CounterMetricFamily("slipway_requests", "Answers.", labels=[*MODEL, "protocol", "status"])
    for labels, numbers in _of(meters.REQUEST, series, aliases):
        requests.add_metric(labels, sum(numbers[:-1]))
    yield requests
    errors = CounterMetricFamily("slipway_errors", "Answers that were errors, by their cause.", labels=[*MODEL, "kind"])
    for labels, numbers in _of(meters.ERROR, series, aliases):
        errors.add_metric(labels, numbers[0])
    yield errors
    samples = CounterMetricFamily("slipway_prediction_log_samples", "What became of each sample.", labels=["result"])
    for result in RESULTS:
        samples.add_metric([result], series.get((meters.SAMPLE, result), [0])[0])
    yield samples


def _histogram(family: str, series: Series, aliases: Aliases) -> HistogramMetricFamily:
    name, documentation = HISTOGRAMS[family]
    has_protocol = family == meters.REQUEST
    found = HistogramMetricFamily(name, documentation, labels=[*MODEL, "protocol"] if has_protocol else MODEL)
    merged = summed({tuple(labels[: 3 + has_protocol]): numbers} for labels, numbers in _of(family, series, aliases))
    for labels, (*counts, total) in sorted(merged.items()):
        found.add_metric(labels, list(_buckets(meters.BOUNDS[family], counts)), total)
    return found


def _buckets(bounds: Iterable[float], counts: list[float]) -> Iterator[tuple[str, float]]:
    """Prometheus' buckets are cumulative."""
    reached = 0.0
    for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=True):
        reached += count
        yield bound, reached


def _of(family: str, series: Series, aliases: Aliases) -> Iterator[tuple[list[str], list[float]]]:
    """Model, version, and the alias that the deployment knows them by, then what else the family tells apart."""
    for (kind, *labels), numbers in sorted(series.items()):
        if kind == family:
            model, version, *more = labels
            yield [model, version, aliases.get((model, version), ""), *more], numbers
