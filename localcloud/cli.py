"""The verbs of the local cloud. Each is a few lines over a module that does the work; none needs the AWS API."""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import click

from localcloud import control, doctor, fault
from localcloud.machine import group, init_of
from localcloud.state import State
from ops.errors import UserError
from toolchain import host

FOLLOW_SECONDS = 0.2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """One Linux machine as the AWS region that Slipway runs in."""
    os.environ["PATH"] = host.search_path()


@main.command()
def start() -> None:
    """Start it, clearing what an earlier one left behind. Returns when the API answers."""
    control.start(State(), click.echo)


@main.command()
def stop() -> None:
    """Stop it and remove every machine, mount, namespace, rule and process it made."""
    control.stop(State(), click.echo)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print localcloud.json, or null.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Show what runs. Exit status 0 only when it runs and every controller is well."""
    found, well = control.status(State())
    if as_json:
        click.echo(json.dumps(asdict(found) if found else None, indent=2))
    elif found is None:
        click.echo("not running")
    else:
        click.echo(f"{found.checkout_id}: process {found.pid}, API http://127.0.0.1:{found.api_port}")
        for port, at in found.published.items():
            click.echo(f"  listener {port:18} http://127.0.0.1:{at}")
        for name, text in found.machines.items():
            click.echo(f"  machine  {name:18} {text}")
        for name, error in found.controllers.items():
            click.echo(f"  {name:27} {error or 'ok'}")
    context.exit(0 if well else 1)


@main.command("doctor")
@click.pass_context
def doctor_command(context: click.Context) -> None:
    """Check whether this host can run it, and say the remedy."""
    context.exit(0 if doctor.report(State(), click.echo) else 1)


@main.command()
@click.argument("instance_id")
@click.option("--follow", "-f", is_flag=True, help="Go on printing what it writes.")
def console(instance_id: str, follow: bool) -> None:
    """Print what a machine wrote on its console, also after its end."""
    file = State().machine(instance_id) / "console.log"
    if not file.exists():
        raise UserError(f"no machine {instance_id}", "python -m localcloud status")
    with file.open(errors="replace", newline="\n") as lines:
        while True:
            if text := lines.read():
                click.echo(text.replace("\r", ""), nl=False)
            elif follow:
                time.sleep(FOLLOW_SECONDS)
            else:
                return


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("instance_id")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(instance_id: str, command: tuple[str, ...]) -> None:
    """Run COMMAND, or a shell, as root inside a machine. Its exit status is the command's."""
    words = enter_argv(State(), instance_id, list(command) or ["/bin/bash", "--login"])
    os.execvp(words[0], words)  # noqa: S606  becomes it, so that signals and the terminal are its own


def enter_argv(state: State, instance_id: str, command: list[str]) -> list[str]:
    """`command` inside a running machine. Raises `UserError` when there is none of that id."""
    init = init_of(group(state.checkout_id, instance_id))
    if init is None:
        raise UserError(f"no machine {instance_id} is running", "python -m localcloud status")
    inside = {
        "HOME": "/root",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
    }
    inside["TERM"] = os.environ.get("TERM", "dumb")
    environment = Path(f"/proc/{init}/root/etc/environment")
    pairs = [f"{name}={value}" for name, value in inside.items()] + environment.read_text().split()
    namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--wdns=/root"]
    return ["nsenter", f"--target={init}", *namespaces, "--", "/usr/bin/env", "--ignore-environment", *pairs, *command]


@main.command()
@click.argument("port", default="8080")
def url(port: str) -> None:
    """Print the address at which a listener's PORT (8080 by default) is published on this host."""
    found = control.running(State()).published
    if port not in found:
        known = ", ".join(sorted(found)) or "none yet"
        raise UserError(f"no load balancer listens on port {port}", f"ports with a listener: {known}")
    click.echo(f"http://127.0.0.1:{found[port]}")


@main.command("fault")
@click.argument("service")
@click.argument("state", type=click.Choice(["down", "up"]))
def fault_command(service: str, state: str) -> None:
    """Make an AWS service (s3, ssm, …) answer 503 to everyone, or stop PostgreSQL (`database`), or bring it back."""
    control.running(State())
    fault.switch(State(), service, state == "down")
    click.echo(f"{service} is {state}")
