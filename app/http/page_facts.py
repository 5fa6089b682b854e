"""What the page shows about one model: its form, its golden set, its recent minutes."""

import time
from collections.abc import Mapping
from typing import Any

from app.core.deployment import ModelVersion
from app.core.errors import ServingError
from app.core.golden import Verdict, verdict
from app.core.meters import RING_STEP
from app.core.recent import recent
from app.core.serving import Serving
from app.core.snapshots import summed
from app.http import about, page_form, page_plots


def of(here: Serving, model: ModelVersion, problem: ServingError | None, facts: Mapping[str, Any]) -> dict[str, Any]:
    """`facts`: what was sent and answered, if something was. Waits for no model that is still being loaded."""
    status = next(each for each in about.models(here) if each["name"] == model.name)
    shown = {"status": status, "metrics": model.metrics, "as_json": False, "answer": None, **facts}
    if status["status"] == "ready":
        shown.update(_form(here, model, problem, facts))
    else:
        shown["reason"] = next(
            (check["message"] for check in here.failing_checks() if check["check"] == f"model {model.label}"), ""
        )
    return {**shown, **_golden(model), **_recent(here, model)}


def _form(here: Serving, model: ModelVersion, problem: ServingError | None, facts: Mapping[str, Any]) -> dict[str, Any]:
    metadata = here.model(model).pyfunc.metadata
    example = page_form.example_row(model.example)
    by_field = facts.get("given") if not facts.get("as_json") else None
    error = problem.message if problem and not facts.get("as_json") else None
    return {
        "fields": page_form.fields(metadata.get_input_schema(), by_field or example, error),
        "shown": page_form.SHOWN,
        "body": facts.get("body") or page_form.example_body(model.example, metadata),
    }


def _golden(model: ModelVersion) -> dict[str, Any]:
    golden = model.golden
    if golden is None:
        return {"verdict": None, "golden_rows": 0}
    found = verdict(golden.output, golden.targets)
    if found is None:
        predictions = golden.output.get("predictions") if isinstance(golden.output, dict) else None
        return {"verdict": None, "golden_rows": len(predictions) if isinstance(predictions, list) else 0}
    return {"verdict": found, "golden_rows": len(found.pairs), **_drawn(found)}


def _drawn(found: Verdict) -> dict[str, Any]:
    if found.classes is None:
        return {"dots": page_plots.scatter(found)}
    return {"matrix": page_plots.matrix(found)}


def _recent(here: Serving, model: ModelVersion) -> dict[str, Any]:
    workers, past = here.meters.collect()
    minutes = recent(summed([past, *(worker.series for worker in workers)]), model.name, time.time())
    return {"recent": minutes, "traffic": page_plots.traffic(minutes, RING_STEP)}
