"""Nginx's configuration, rendered from the shipped files and read by the real Nginx."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import contract
from contract.node_files import node_files

nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
needs_nginx = pytest.mark.skipif(nginx is None, reason="nginx is not installed on this machine")


def rendered(folder: Path) -> Path:
    """The serving node's Nginx files below `folder`, which stands for the root; paths in them are moved there too."""
    for file in node_files("serving"):
        if file.path.startswith("/etc/nginx/"):
            place = folder / file.path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(re.sub(r"(/etc/nginx/|/run/nginx)", rf"{folder}\1", file.content))
    (folder / "run").mkdir(exist_ok=True)
    return folder / "etc/nginx/nginx.conf"


@needs_nginx
def test_nginx_accepts_the_rendered_configuration(tmp_path: Path) -> None:
    assert nginx
    done = subprocess.run([nginx, "-t", "-c", str(rendered(tmp_path))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr, done.stderr


def test_timeouts_grow_outwards_so_that_the_balancer_never_reuses_a_closed_connection() -> None:
    http = contract.HTTP
    assert http.nginx_keepalive_seconds > http.balancer_idle_seconds > http.nginx_read_seconds > http.predict_seconds


def test_a_failed_prediction_is_sent_again_but_an_overloaded_server_is_left_alone(tmp_path: Path) -> None:
    rendered(tmp_path)
    text = (tmp_path / "etc/nginx/slipway/model-server.conf").read_text()
    directive = next(line for line in text.splitlines() if "proxy_next_upstream " in line)
    assert directive.strip() == "proxy_next_upstream error timeout http_500 http_502 http_504 non_idempotent;"
    assert text.count("/current.sock max_fails=0;") == 2
    assert text.count("/previous.sock max_fails=0 backup;") == 1


def test_the_access_log_is_one_json_object_per_request(tmp_path: Path) -> None:
    text = rendered(tmp_path).read_text()
    declared = text.split("log_format slipway escape=json", 1)[1].split(";", 1)[0]
    line = "".join(re.findall(r"'([^']*)'", declared))
    assert re.sub(r'"\$\w+"', '"x"', line).startswith('{"event":"request"')
    fields = re.findall(r'"(\w+)":"(\$?\w+)"', line)
    assert {"request_id", "status", "upstream_status", "deployment", "model"} <= {name for name, _ in fields}
