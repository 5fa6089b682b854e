"""What a model was logged with, against what a release has: satisfied, or the conflict by its name."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ops import environments, requirements
from ops.environments import Packages

RELEASE = Packages(
    {"mlflow-skinny": "3.17.2", "numpy": "2.4.6", "pandas": "3.1.1", "scikit-learn": "1.9.1", "torch": "2.9.0+cpu"},
    "3.11",
    {"pandas": {"parquet": [Requirement('pyarrow>=13; extra == "parquet"')], "plain": []}},
)
SKOPS = "flavors:\n  python_function: {python_version: 3.12.1}\n  sklearn: {serialization_format: skops}\n"
PICKLE = "flavors:\n  python_function: {python_version: 3.12.1}\n  sklearn: {serialization_format: cloudpickle}\n"


def logged(folder: Path, wanted: str, about: str = SKOPS, **files: str) -> Path:
    (folder / "requirements.txt").write_text(wanted)
    (folder / "MLmodel").write_text(about)
    for name, text in files.items():
        (folder / name.replace("_txt", ".txt").replace("_yaml", ".yaml")).write_text(text)
    return folder


def conflicts(folder: Path) -> list[str]:
    return [str(each) for each in environments.conflicts("iris/1", requirements.read(folder), RELEASE)]


@pytest.mark.parametrize(
    "wanted",
    [
        "mlflow==3.17.2\nnumpy==2.4.6\npandas==3.1.1\nscikit-learn==1.9.1",
        "mlflow-skinny==3.17.2",
        "mlflow[databricks]==3.17.2",
        "Scikit_Learn>=1.8,<2",
        "numpy",
        "numpy==2.4.*  # any patch",
        "numpy==2.4.6 \\\n    --hash=sha256:00",
        "numpy>1 ; python_version < '3.13'",
        "tensorflow==2.20 ; sys_platform == 'darwin'",
        "tensorflow==2.20 ; python_version >= '3.12'",
        "torch==2.9.0",
        "torch==2.9.0+cu128",
        "torch==2.9.0+cpu",
        "pandas[plain]==3.1.1",
        "--extra-index-url https://packages.example/simple\nnumpy==2.4.6",
        "pytest==9.2.0\nrich==15.0.0\npip<=26.3",
        "",
    ],
)
def test_a_release_satisfies(wanted: str, tmp_path: Path) -> None:
    assert conflicts(logged(tmp_path, wanted)) == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("numpy==1.26.4", "iris/1 wants numpy==1.26.4, the release has numpy 2.4.6"),
        ("mlflow==3.16.0", "iris/1 wants mlflow==3.16.0, the release has mlflow-skinny 3.17.2"),
        ("lightgbm==4.6.0", "iris/1 wants lightgbm==4.6.0, the release has no lightgbm"),
        ("torch==2.8.0+cpu", "iris/1 wants torch==2.8.0+cpu, the release has torch 2.9.0+cpu"),
        ("pandas[parquet]==3.1.1", "iris/1 wants pyarrow>=13, the release has no pyarrow"),
        ("pandas[cheese]", "iris/1 wants pandas[cheese], the release has pandas 3.1.1 without an extra 'cheese'"),
        ("numpy<2 ; sys_platform == 'linux'", "iris/1 wants numpy<2, the release has numpy 2.4.6"),
    ],
)
def test_a_release_does_not_satisfy(wanted: str, expected: str, tmp_path: Path) -> None:
    assert conflicts(logged(tmp_path, wanted)) == [expected]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("ours @ git+https://example.org/ours.git@v1", "it is fetched from a URL"),
        ("git+https://example.org/ours.git", "it names no package of an index"),
        ("./wheels/ours-1.0-py3-none-any.whl", "it names no package of an index"),
        ("/home/me/ours", "it names no package of an index"),
        ("-e .", "it names a place on the machine that logged it"),
        ("-r ../elsewhere.txt", "it names a file that is not logged with the model"),
    ],
)
def test_what_no_index_has_is_refused_with_the_reason(wanted: str, reason: str, tmp_path: Path) -> None:
    (only,) = conflicts(logged(tmp_path, wanted))
    assert wanted in only
    assert reason in only


def test_constraints_count_for_what_the_release_has(tmp_path: Path) -> None:
    folder = logged(tmp_path, "numpy\n-c constraints.txt", constraints_txt="numpy==2.0.0\nkeras==3\n")
    assert conflicts(folder) == ["iris/1 wants numpy==2.0.0, the release has numpy 2.4.6"]


def test_a_file_of_requirements_may_name_another_one(tmp_path: Path) -> None:
    assert conflicts(logged(tmp_path, "-r more.txt", more_txt="numpy==1.0")) == [
        "iris/1 wants numpy==1.0, the release has numpy 2.4.6"
    ]


def test_files_that_name_each_other_come_to_an_end(tmp_path: Path) -> None:
    (only,) = conflicts(logged(tmp_path, "-r requirements.txt"))
    assert "not logged with the model" in only


def test_without_requirements_the_conda_environment_says_it(tmp_path: Path) -> None:
    folder = logged(tmp_path, "", conda_yaml="dependencies:\n- python=3.11.7\n- pip\n- pip:\n  - numpy==1.0\n")
    (folder / "requirements.txt").unlink()
    assert conflicts(folder) == ["iris/1 wants numpy==1.0, the release has numpy 2.4.6"]


def test_a_pickle_wants_the_python_that_wrote_it(tmp_path: Path) -> None:
    folder = logged(tmp_path, "", PICKLE, python_env_yaml="python: 3.12.3\n")
    assert conflicts(folder) == ["iris/1 wants Python 3.12.3 (it is a pickle), the release has Python 3.11"]


def test_the_third_part_of_pythons_version_does_not_matter(tmp_path: Path) -> None:
    assert conflicts(logged(tmp_path, "", PICKLE, python_env_yaml="python: 3.11.9\n")) == []


@pytest.mark.parametrize(
    ("about", "pickled"),
    [
        ({"flavors": {"sklearn": {"serialization_format": "skops"}, "python_function": {}}}, False),
        ({"flavors": {"sklearn": {"serialization_format": "pickle"}, "python_function": {}}}, True),
        ({"flavors": {"lightgbm": {}, "python_function": {}}}, False),
        ({"flavors": {"python_function": {"python_model": "python_model.pkl"}}}, True),
        ({"flavors": {"python_function": {"model_code_path": "model.py"}}}, False),
        ({}, True),
    ],
)
def test_which_models_are_pickles(about: dict[str, object], pickled: bool) -> None:
    assert requirements.pickled(about) is pickled


def test_the_packages_of_a_release_are_those_installed_in_it(tmp_path: Path) -> None:
    (tmp_path / "release.json").write_text('{"python": "3.11", "packages": {"other": "1"}}')
    info = tmp_path / "lib" / "Ours_Two-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: Ours_Two\nVersion: 1.5\nProvides-Extra: more\n"
        'Requires-Dist: numpy\nRequires-Dist: six>=1; extra == "more"\n'
    )
    found = environments.of_release(tmp_path)
    assert dict(found.versions) == {"ours-two": "1.5"}
    assert [each.name for each in found.extras["ours-two"]["more"]] == ["six"]


def test_the_refusal_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "release.json").write_text('{"python": "3.11", "packages": {"numpy": "2.4.6"}}')
    files = tmp_path / "files"
    files.mkdir()
    _, found = environments.fit("iris/1", logged(files, "numpy==1.0"), tmp_path)
    told = environments.refusal(found)
    assert told.message == "iris/1 wants numpy==1.0, the release has numpy 2.4.6"
    assert "slipway release --for iris/1" in told.hint


def test_what_is_asked_of_an_index_has_no_local_version_and_the_smaller_mlflow() -> None:
    asked = [requirements.text(Requirement(each)) for each in ("torch==2.9.0+cu128", "mlflow[x]==3.17.2", "a[b]>1")]
    assert asked == ["torch==2.9.0", "mlflow-skinny==3.17.2", "a[b]>1"]
