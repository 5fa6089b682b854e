"""Runs code that is not ours on a tracking node, by an account and in a unit that have nothing: no network, no rights.

systemd starts `slipway-sandbox@` for each connection to its socket (cloud-init/bin/slipway-sandbox), so that whoever
asks needs no rights either. One line of JSON goes in, one comes out.
"""

import json
import socket
from collections.abc import Mapping, Sequence

from contract import PATHS
from ops.run import CommandError, Result, ended

SECONDS = 900.0


def run(
    arguments: Sequence[str], env: Mapping[str, str], input: str | None, hint: str, path: str = PATHS.sandbox
) -> Result:
    """`/usr/bin/python3 arguments` in there. Raises `CommandError` when it fails or cannot be started."""
    argv = ["/usr/bin/python3", *arguments]
    request = json.dumps({"arguments": list(arguments), "env": dict(env), "input": input or ""})
    try:
        result = Result(**json.loads(_asked(path, request)))
    except (OSError, ValueError) as error:
        failed = Result("", f"{path}: {error}", 1)
        raise CommandError(argv, failed, "the sandbox gives no answer", hint) from error
    if not result.ok:
        raise CommandError(argv, result, ended(result.returncode), hint)
    return result


def _asked(path: str, request: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(path)
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile(encoding="utf-8", errors="replace") as answer:
            return answer.read()
