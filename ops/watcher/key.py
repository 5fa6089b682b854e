"""The watcher's own SSH key: made on the tracking node once, kept in Secrets Manager, its public half told to nodes.

The program makes the secret and the parameter without a value, so that no key is in a stack's state. A healed tracking
node finds the key of its predecessor.
"""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ops import first_value, private
from ops.run import run

FIRST_VERSION = "slipway-watcher-key-000000000001"
COMMENT = "slipway-watcher"
PUBLIC = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]+=*( \S+)?")


def ensure(client: Any, arn: str) -> str:
    """The private key, made when there is none yet. `client` is boto3's for Secrets Manager."""
    return first_value.ensure(client, arn, FIRST_VERSION, generated)


def generated() -> str:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "key"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", COMMENT, "-f", file])
        return file.read_text()


def place(key: str, file: Path) -> str:
    """Writes the private key where ssh takes it, mode 600; returns the public half."""
    private.write(file, key)
    return run(["ssh-keygen", "-y", "-f", file]).stdout.strip()


def tell(client: Any, parameter: str, public: str) -> bool:
    """Makes the parameter say it. `client` is boto3's for SSM. Returns whether that changed it."""
    assert PUBLIC.fullmatch(public), "ssh-keygen gives a public key"
    if client.get_parameter(Name=parameter)["Parameter"]["Value"] == public:
        return False
    client.put_parameter(Name=parameter, Value=public, Type="String", Overwrite=True)
    return True
