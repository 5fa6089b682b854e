"""The watcher's own SSH key: made on the tracking node once, kept in Secrets Manager, its public half told to nodes.

The program makes the secret and the parameter without a value, so that no key is in a stack's state. A healed tracking
node finds the key of its predecessor.
"""

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botocore.exceptions import ClientError

from ops.run import run

# One fixed token: of two nodes that find the secret empty, Secrets Manager lets only one create this version.
FIRST_VERSION = "slipway-watcher-key-000000000001"
COMMENT = "slipway-watcher"
PUBLIC = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]+=*( \S+)?")


def ensure(client: Any, arn: str) -> str:
    """The private key, made when there is none yet. `client` is boto3's for Secrets Manager."""
    try:
        return str(client.get_secret_value(SecretId=arn)["SecretString"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    try:
        client.put_secret_value(SecretId=arn, ClientRequestToken=FIRST_VERSION, SecretString=generated())
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
    return str(client.get_secret_value(SecretId=arn)["SecretString"])


def generated() -> str:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "key"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", COMMENT, "-f", file])
        return file.read_text()


def place(private: str, file: Path) -> str:
    """Writes the private key where ssh takes it, mode 600; returns the public half."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(private)
    draft.replace(file)
    return run(["ssh-keygen", "-y", "-f", file]).stdout.strip()


def tell(client: Any, parameter: str, public: str) -> bool:
    """Makes the parameter say it. `client` is boto3's for SSM. Returns whether that changed it."""
    assert PUBLIC.fullmatch(public), "ssh-keygen gives a public key"
    if client.get_parameter(Name=parameter)["Parameter"]["Value"] == public:
        return False
    client.put_parameter(Name=parameter, Value=public, Type="String", Overwrite=True)
    return True
