"""The last step of the pipeline node's boot: the stack is told where it is, once all of Airflow is well.

It is what `pulumi up` waits for, since no balancer asks after this node.
"""

import socket

from ops.errors import UserError
from ops.pipelines.airflow import Airflow
from ops.pipelines.facts import Facts


def announce(facts: Facts, airflow: Airflow) -> str:
    """Returns the address. Raises `UserError` until Airflow is well."""
    from botocore.exceptions import BotoCoreError, ClientError

    if unwell := airflow.unwell():
        raise UserError(f"Airflow is not well: {unwell}", "see `journalctl -u 'slipway-airflow-*'`")
    own = _address()
    try:
        name = facts.pipeline["address_parameter"]
        facts.aws("ssm").put_parameter(Name=name, Value=own, Type="String", Overwrite=True)
    except (ClientError, BotoCoreError) as error:
        raise UserError(f"the address cannot be written: {error}", "this is tried again until it works") from None
    return own


def _address() -> str:
    """This node's address in its network. Nothing is sent: the address of a datagram socket is a look at the routes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
