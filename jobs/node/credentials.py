"""The file that accepting and working start from: broker, database and bucket of jobs, with the logins.

Read anew at each start of a unit: a broker node that took another's place has other keys, another login and address.
The password file is the user's own, because libpq reads none that a group may read.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from contract import PATHS, PORTS, S3, USERS
from jobs.node import broker
from jobs.node.facts import Facts
from ops import private
from ops.errors import UserError
from ops.postgres import Owner, Server

FOLDER = Path(PATHS.secrets)
CONFIG = Path(PATHS.jobs_config).name
PASSFILE = "jobs.pgpass"
CA = "broker-ca.pem"
ENVIRONMENT = "jobs.env"
PENDING = "pending"


def follow(facts: Facts, folder: Path = FOLDER) -> bool:
    """`collect`, unless the broker that the files are of answers. Whether a file has changed.

    Each boot of the broker's node has an authority of its own, so a handshake says that it is the same one, and no
    service has to be asked for that.
    """
    try:
        url = json.loads((folder / CONFIG).read_text())["broker"]["url"]
        broker.require_answer(urlsplit(url).hostname, (folder / CA).read_text())
    except (FileNotFoundError, UserError):
        return collect(facts, folder)
    return False


def collect(facts: Facts, folder: Path = FOLDER) -> bool:
    """Reads the address and the secrets, and writes the files. Whether one has changed. Raises `UserError`."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = facts.aws("ssm").get_parameter(Name=facts.jobs["broker_parameter"])
        secrets = facts.aws("secretsmanager")
        login = secret(secrets, facts.jobs["broker_secret_arn"])
        database = secret(secrets, facts.jobs["database_secret_arn"])
    except (ClientError, BotoCoreError) as error:
        raise UserError(
            f"the logins of jobs cannot be read: {error}", "a new role's rights take minutes; this is tried again"
        ) from None
    address = str(answer["Parameter"]["Value"])
    if login is None or database is None or address == PENDING:
        raise UserError("the broker node has not announced itself yet", "this is tried again until it has")
    return write(facts, address, login, database, folder)


def secret(client: Any, arn: str) -> dict[str, Any] | None:
    """A secret's JSON, None while it has no value."""
    from botocore.exceptions import ClientError

    try:
        text = client.get_secret_value(SecretId=arn)["SecretString"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    found: dict[str, Any] = json.loads(text)
    return found


def write(facts: Facts, address: str, login: dict[str, Any], database: dict[str, Any], folder: Path = FOLDER) -> bool:
    """The files: logins, and for AWS's own libraries the region. Whether one has changed."""
    server = Server(host=database["host"], port=database["port"], ca=PATHS.database_ca)
    owner = Owner(role=database["username"], database=database["name"])
    concurrency = facts.jobs.get("concurrency")
    pair = f"{quote(login['username'], safe='')}:{quote(login['password'], safe='')}"
    config = {
        "stack": facts.stack,
        "broker": {"url": f"amqps://{pair}@{address}:{PORTS.broker}/{broker.VHOST}", "ca": str(folder / CA)},
        "database": {
            "host": server.host,
            "port": server.port,
            "name": owner.database,
            "user": owner.role,
            "passfile": str(folder / PASSFILE),
            "ca": server.ca,
        },
        "bucket": facts.bucket,
        "prefix": S3.jobs,
        "model_server": f"{PATHS.run}/current.sock",
        "limits": {**facts.jobs["limits"], **({"concurrency": concurrency} if concurrency else {})},
    }
    line = server.login_line(owner, database["password"])
    user = USERS.jobs
    changes = [
        private.write(folder / CA, login["ca"], group=user, mode=0o640),
        private.write(folder / PASSFILE, line, owner=user, group=user),
        private.write(folder / ENVIRONMENT, f"AWS_DEFAULT_REGION={facts.region}\n", mode=0o640),
        private.write(folder / CONFIG, json.dumps(config, indent=2) + "\n", group=user, mode=0o640),
    ]
    return any(changes)
