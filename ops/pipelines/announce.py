"""The last step of the pipeline node's boot: the stack is told where it is, once all of Airflow is well.

It is what `pulumi up` waits for, since no balancer asks after this node.
"""

from ops.errors import UserError
from ops.own_address import own_address
from ops.pipelines.airflow import Airflow
from ops.pipelines.facts import Facts


def announce(facts: Facts, airflow: Airflow) -> str:
    """Returns the address. Raises `UserError` until Airflow is well."""
    from botocore.exceptions import BotoCoreError, ClientError

    if unwell := airflow.unwell():
        raise UserError(f"Airflow is not well: {unwell}", "see `journalctl -u 'slipway-airflow-*'`")
    own = own_address()
    try:
        name = facts.pipeline["address_parameter"]
        facts.aws("ssm").put_parameter(Name=name, Value=own, Type="String", Overwrite=True)
    except (ClientError, BotoCoreError) as error:
        raise UserError(f"the address cannot be written: {error}", "this is tried again until it works") from None
    return own
