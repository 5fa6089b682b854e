"""What the master imports for a deployment's models before it forks."""

from pathlib import Path

import pytest
import yaml

from app.core import preload


def model(folder: Path, **sklearn: object) -> Path:
    flavors = {"python_function": {"loader_module": "mlflow.sklearn"}, "sklearn": sklearn}
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))
    return folder


def test_what_reads_mlflows_safe_format_is_imported_once_for_all_workers(tmp_path: Path) -> None:
    modules = preload._modules(model(tmp_path, serialization_format="skops"))
    assert {"mlflow.sklearn", "sklearn.ensemble", "skops.io"} <= set(modules)


def test_mlflow_reads_descriptions_with_libyaml() -> None:
    """Its own reading of one with a thousand columns takes a fifth of a second, in every worker."""
    assert yaml.__with_libyaml__, "the wheel has it"
    assert yaml.SafeLoader.__name__ == "CSafeLoader"
    assert yaml.safe_load("columns: [{name: a, type: double}]") == {"columns": [{"name": "a", "type": "double"}]}


@pytest.mark.parametrize("about", [{"serialization_format": "cloudpickle"}, {}])
def test_a_model_of_another_format_needs_none_of_it(tmp_path: Path, about: dict[str, object]) -> None:
    modules = preload._modules(model(tmp_path, **about))
    assert "mlflow.sklearn" in modules
    assert "skops.io" not in modules


@pytest.mark.parametrize(
    "text", ["flavors: {sklearn: skops, python_function: {loader_module: x}}", "flavors: 1", "[", ""]
)
def test_a_description_that_makes_no_sense_is_left_to_loading(tmp_path: Path, text: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    assert preload._modules(tmp_path) == ()
