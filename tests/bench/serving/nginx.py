"""The Nginx in front: the node's shipped configuration, moved below a folder, on a port of loopback.

The same for every server, with its address where the model server's socket stands. Its access log, which a node hands
to the journal, is written to a file of the run, so that measuring fills nobody's journal.
"""

import getpass
import re
import shutil
from pathlib import Path

from contract.node_files import node_files
from tests.bench.serving.process import Address, Process, free_port

READY_FILE = "/readyz"


def program() -> str | None:
    return shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


def configure(folder: Path, upstream: str, port: int) -> Path:
    """Writes the rendered files below `folder`; returns the main one."""
    for file in node_files("serving"):
        if file.path.startswith("/etc/nginx/"):
            place = folder / file.path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(moved(file.content, folder, upstream, port))
    (folder / "run").mkdir(exist_ok=True)
    return folder / "etc/nginx/nginx.conf"


def moved(text: str, folder: Path, upstream: str, port: int) -> str:
    """One shipped file with this run's paths, user, logs, port and upstream."""
    text = re.sub(r"(/etc/nginx/|/run/nginx)", rf"{folder}\1", text)
    text = re.sub(r"(?m)^user .*;$", f"user {getpass.getuser()};", text)
    text = re.sub(r"(?m)^error_log .*;$", f"error_log {folder}/error.log warn;", text)
    text = re.sub(r"access_log syslog:\S+", f"access_log {folder}/access.log", text)
    text = re.sub(r"server unix:\S+/current\.sock", f"server {upstream}", text)
    return re.sub(r"listen \d+ ", f"listen 127.0.0.1:{port} ", text)


def start(folder: Path, upstream: Address, ready: str, *, session: bool = False) -> tuple[Process, Address]:
    found = program()
    assert found, "asked for only where there is one"
    front = Address(port=free_port())
    main = configure(folder, upstream.upstream, front.port)
    argv = [found, "-e", str(folder / "error.log"), "-c", str(main), "-g", "daemon off;"]
    process = Process(argv, {"PATH": "/usr/sbin:/usr/bin"}, folder, folder / "nginx.log", session=session)
    process.wait_ready(front, ready)
    return process, front
