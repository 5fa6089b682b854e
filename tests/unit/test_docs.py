"""The documents say what is so: every verb, command, path, setting and number in them is held against the code."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from sklearn.datasets import load_diabetes
from slipway_node.main import _parser

import contract
from infra import routes
from localcloud.api import policy
from localcloud.cli import main as localcloud_cli
from localcloud.logs import PARTS
from ops import sources
from ops.cli import main as ops_cli
from ops.quickstart import LOCKED, PLAIN, WITH_WORDS
from ops.training import address
from tests.unit import documents
from tests.unit.documents import ROOT

GROUPS = {"localcloud": localcloud_cli, "ops": ops_cli}
FILES = pytest.mark.parametrize("file", documents.files(), ids=documents.name)
MODULE = re.compile(r"python3? -m (\w+)(?![\w.])((?: [\w-]+)*)")
OURS = re.compile(
    r"(?:^|[\s(\"'=])((?:\.ci|app|cloud-init|contract|docs|infra|localcloud|ops|playbooks|tests|toolchain)/[\w./-]*)"
)
MANAGED_POLICY_CHARACTERS = 6144
# Beside the clients of our own, what the AWS variant of the stack and the health gate need.
SERVICES = {
    *("acm", "route53", "ec2", "s3", "rds", "iam", "autoscaling", "elasticloadbalancing", "ssm", "secretsmanager"),
    *("cloudwatch", "sns"),
}


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def command_paths() -> Iterator[tuple[str, list[str], str]]:
    """Group, words and place of every `python -m` command; words end where the command's own arguments begin."""
    for file in documents.files():
        for text in documents.commands(file):
            for module, words in MODULE.findall(text):
                yield module, words.split(), f"{documents.name(file)}: {text}"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@FILES
def test_every_link_leads_somewhere(file: Path) -> None:
    for link in documents.links(file):
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), f"{link}: there is no such file"
        assert not anchor or anchor in documents.anchors(target), f"{link}: there is no such heading"


def test_every_page_is_linked_from_the_readme_or_its_folder() -> None:
    linked = {
        (file.parent / link.partition("#")[0]).resolve() for file in documents.files() for link in documents.links(file)
    }
    lost = [
        documents.name(page) for page in (ROOT / "docs").rglob("*") if page.is_file() and page.resolve() not in linked
    ]
    assert lost == []


@FILES
def test_every_make_verb_exists(file: Path) -> None:
    for text in documents.commands(file):
        for verb in (
            re.findall(r"\bmake (?:-s )?([a-z][a-z-]*)\b", text) if re.match(r"make |\S*\$\(make|curl", text) else []
        ):
            assert verb in targets(), f"{text}: there is no such verb"


def test_the_makefile_knows_the_verbs_of_the_quickstart() -> None:
    assert targets() - {"help"} == {*LOCKED, *PLAIN, *WITH_WORDS}


def test_every_command_answers_help() -> None:
    seen = set()
    for module, words, place in command_paths():
        assert module in GROUPS, f"{place}: there is no command {module}"
        command: click.Command = GROUPS[module]
        path = []
        for word in words:
            if not isinstance(command, click.Group):
                break
            assert word in command.commands, f"{place}: {module} has no {word}"
            command = command.commands[word]
            path.append(word)
        seen.add((module, *path))
        assert CliRunner().invoke(GROUPS[module], [*path, "--help"]).exit_code == 0, place
    assert ("ops", "deployment", "make") in seen, "the documents show how a deployment is made"


def test_every_verb_of_the_local_cloud_is_in_its_page() -> None:
    text = (ROOT / "docs" / "local-cloud.md").read_text()
    assert [verb for verb in localcloud_cli.commands if f"python -m localcloud {verb}" not in text] == []


@FILES
def test_every_path_exists(file: Path) -> None:
    for text in documents.commands(file):
        for path in OURS.findall(text):
            assert (ROOT / path).exists() or release_key(path), f"{text}: there is no {path}"


def release_key(path: str) -> bool:
    return path.startswith(tuple(vars(contract.S3).values()))


@FILES
def test_every_variable_is_read_somewhere(file: Path) -> None:
    code = "\n".join(
        each.read_text()
        for folder in ("app", "ops", "infra", "localcloud", "toolchain")
        for each in (ROOT / folder).rglob("*.py")
    )
    compose = (ROOT / "compose.yaml").read_text()
    found = set(re.findall(r"\bSLIPWAY_[A-Z_]+\b", file.read_text()))
    for variable in {re.sub(rf"(?<=^{address.VARIABLE})_[A-Z]+$", "", each) for each in found}:
        assert f'"{variable}"' in code or f"${{{variable}:-" in compose, f"nobody reads {variable}"


@FILES
def test_every_unit_and_program_of_a_node_exists(file: Path) -> None:
    units = {
        each.name.removesuffix(".j2").rpartition(".")[0]
        for each in (ROOT / "cloud-init/files/etc/systemd/system").iterdir()
    }
    units |= {"cloud-final"}
    for text in documents.commands(file):
        for unit in re.findall(r" -u '?([\w-]+)", text if text.startswith("journalctl") else ""):
            assert unit in {name.removesuffix("@") for name in units}, f"{text}: there is no unit {unit}"


def test_the_columns_of_the_curl_line_are_the_models() -> None:
    (block,) = (text for text in documents.blocks(ROOT / "README.md") if text.startswith("curl"))
    row = json.loads(re.search(r"-d '(.*)'", block)[1])  # type: ignore[index]
    assert list(row) == load_diabetes(as_frame=True).data.columns.tolist()


def test_the_exit_statuses_are_the_contracts() -> None:
    page = documents.rows(ROOT / "docs" / "releases-and-deployments.md", 3)
    assert {name: int(status) for status, name, _ in page if status.isdigit()} == vars(contract.ACTIVATE_EXIT)


def test_the_verbs_of_activation_are_its_own() -> None:
    page = documents.rows(ROOT / "docs" / "releases-and-deployments.md", 2)
    shown = {match[1] for row in page if (match := re.match(r"`(\w+)", row[0]))}
    (verbs,) = (action.choices for action in _parser()._actions if action.dest == "verb")
    assert verbs is not None
    assert shown == set(verbs)


def test_the_chain_of_timeouts_is_the_contracts_and_falls() -> None:
    page = documents.rows(ROOT / "docs" / "balancer.md", 3)
    chain = [(name.strip("`"), int(seconds)) for seconds, name, _ in page if seconds.isdigit()]
    assert dict(chain) == {name: value for name, value in vars(contract.HTTP).items() if name.endswith("_seconds")}
    assert chain == sorted(chain, key=lambda entry: -entry[1])


def test_the_forwarded_paths_are_the_rules() -> None:
    text = (
        (ROOT / "docs" / "balancer.md").read_text().partition("## What is forwarded")[2].partition("Everything else")[0]
    )
    assert set(documents.INLINE.findall(text)) == {*routes.PREDICTIONS, *routes.MODELS, *routes.PAGES}


def test_the_health_check_is_the_balancers() -> None:
    check = routes.health_check("/readyz")
    text = (ROOT / "docs" / "balancer.md").read_text()
    assert f"every {check['interval']} seconds and waits {check['timeout']}" in text


def test_the_logs_page_names_every_part() -> None:
    text = (ROOT / "docs" / "logs.md").read_text()
    assert [part for part in PARTS if f"log/{part}.log" not in text] == []


def test_what_a_release_is_made_of_has_a_group() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    own = {"airflow"}  # it has a project, and a lock, of its own
    assert all(f"\n{kind} = [" in project for kind in sources.FOLDERS.keys() - own)
    assert (ROOT / "pipelines" / "airflow" / "uv.lock").is_file()


def operator_policy() -> dict[str, list[dict[str, object]]]:
    loaded: dict[str, list[dict[str, object]]] = json.loads((ROOT / "docs" / "operator-policy.json").read_text())
    return loaded


def test_the_operators_policy_is_one_that_iam_takes() -> None:
    text = json.dumps(operator_policy(), separators=(",", ":"))
    assert len(text) <= MANAGED_POLICY_CHARACTERS
    sids = [str(statement["Sid"]) for statement in operator_policy()["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() for sid in sids)


def test_the_operators_policy_knows_every_service_of_the_program() -> None:
    actions = [str(action) for each in operator_policy()["Statement"] for action in policy.as_list(each["Action"])]
    assert {action.partition(":")[0] for action in actions} >= SERVICES


def test_nothing_but_what_is_named_slipway_can_be_deleted_where_names_are_to_be_had() -> None:
    document = operator_policy()
    for action, resource in {
        "s3:DeleteBucket": "arn:aws:s3:::somebody-elses",
        "rds:DeleteDBInstance": "arn:aws:rds:us-east-1:1:db:production",
        "iam:PutRolePolicy": "arn:aws:iam::1:role/admin",
        "iam:PassRole": "arn:aws:iam::1:role/slipway-prod-serving",
        "secretsmanager:GetSecretValue": "arn:aws:secretsmanager:us-east-1:1:secret:rds!db-1",
        "kms:Decrypt": "arn:aws:kms:us-east-1:1:key/1",
    }.items():
        assert not policy.evaluate([document], action, resource).allowed, action
