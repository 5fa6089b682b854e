"""GetConsoleOutput: the last 64 KiB of what the machine really printed.

Moto answers the same ten lines of a 2006 kernel for every instance.
Fixed never: only a machine has a console.
"""

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses.general import General

from localcloud.gaps.patch import AnyFunction, replace

LAST_BYTES = 64 << 10


def tail(path: Path) -> tuple[bytes, datetime]:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - LAST_BYTES))
        return file.read(), datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _get_console_output(_original: AnyFunction, self: Any) -> Any:
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    output, changed = b"", datetime.now(UTC)
    if instance.console_path and Path(instance.console_path).exists():
        output, changed = tail(Path(instance.console_path))
    return ActionResult(
        {"InstanceId": instance.id, "Timestamp": changed, "Output": base64.b64encode(output).decode() or None}
    )


def install() -> None:
    replace(General, "get_console_output", _get_console_output)
