"""The settings of the pipeline node. Off, nothing of it exists: no node, no secret, no rule, no grant."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import cron
from infra.reading import Section
from infra.sections import DIGEST, NodeSettings

FOLDER = Path(__file__).resolve().parents[1] / "pipelines"
TABLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
OFF = "off"


@dataclass(frozen=True, kw_only=True)
class PipelineSettings:
    """`schedules` take the place of what the pipelines' files say, None: not by time. `tables`: by pipeline the table
    whose new rows begin a run, once there were none for `debounce_seconds`.

    The releases are digests; None is the one that the program uploaded first.
    """

    enabled: bool
    node: NodeSettings
    training_release: str | None
    airflow_release: str | None
    schedules: dict[str, str | None]
    tables: dict[str, str]
    debounce_seconds: int
    push_branch: str

    @classmethod
    def read(cls, s: Section) -> "PipelineSettings":
        settings = cls(
            enabled=s.flag("enabled", False),
            node=_node(s.section("node")),
            training_release=s.optional("trainingRelease", *DIGEST),
            airflow_release=s.optional("airflowRelease", *DIGEST),
            schedules=_schedules(s.section("schedules")),
            tables=_tables(s.section("tables")),
            debounce_seconds=s.number("debounceSeconds", 1, 3600, 30),
            push_branch=s.text("pushBranch", r"[A-Za-z0-9][A-Za-z0-9_-]*", "production", default="production"),
        )
        s.finish()
        return settings

    def facts(self) -> dict[str, Any]:
        """As the node is told them, and operators by the stack's outputs; `ops/pipelines/facts.py` and
        `ops/push/remote.py` are their readers."""
        return {
            "schedules": self.schedules,
            "tables": self.tables,
            "debounce_seconds": self.debounce_seconds,
            "push_branch": self.push_branch,
        }


def _schedules(s: Section) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in _pipelines(s):
        line = str(s.take(name))
        if line != OFF and (wrong := cron.mistake(line)):
            s.problem(name, wrong, f'Write a cron line, like "0 3 * * *", or {OFF}.')
        found[name] = None if line == OFF else line
    return found


def _tables(s: Section) -> dict[str, str]:
    found = {}
    for name in _pipelines(s):
        table = str(s.take(name))
        if not TABLE.fullmatch(table):
            s.problem(name, "it is no table's name", "Write it in small letters, digits and _.")
        found[name] = table
    return found


def _pipelines(s: Section) -> list[str]:
    """The keys of a group that are to be pipelines."""
    known = sorted(file.stem for file in FOLDER.glob("[!_]*.py"))
    for name in s.data:
        if name not in known:
            s.take(name)
            s.problem(name, "there is no such pipeline", f"pipelines/ has {', '.join(known) or 'none'}.")
    return [name for name in s.data if name in known]


def _node(s: Section) -> NodeSettings:
    """Airflow needs its memory."""
    settings = NodeSettings.read_unbalanced(s, "t3.medium", warmup_seconds=300)
    s.finish()
    return settings
