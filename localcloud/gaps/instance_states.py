"""EC2 instances that take time: moto's are running, stopped or terminated the moment somebody asks.

Here an operation only moves an instance to `pending`, `stopping` or `shutting-down`; whoever has the machine says, by
`settle`, when it is done. RebootInstances is counted, so that no reboot is missed between two looks.
Fixed when moto's RunInstances answers `pending` and DescribeInstances later says `running`.
"""

from typing import Any

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import Instance, InstanceState, StateReason

from localcloud.gaps.patch import AnyFunction, replace, replace_property

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

_MAY_STOP = {"pending", "running", "stopping", "stopped"}
_MAY_START = {"pending", "running", "stopped"}


def settle(instance: Any, state: str, reason: str = "") -> None:
    """What became of the machine. A terminated instance gives back its addresses, interfaces and volumes."""
    if instance.state == state:
        return
    if state == "terminated":
        _terminate(instance)
    before = instance.state_reason
    _set(instance, state)
    if state == "running":
        instance.state_reason = StateReason()
        instance._reason = ""
    elif reason:
        instance.state_reason = StateReason(reason, reason.partition(":")[0])
    elif before and before.code:
        instance.state_reason = before


def _set(instance: Any, state: str) -> Any:
    previous = instance._state
    instance._state = InstanceState(state, CODES[state])
    return previous


def _by_user(instance: Any) -> None:
    instance._reason = f"User initiated ({utcnow():%Y-%m-%d %H:%M:%S} GMT)"
    instance.state_reason = StateReason(
        "Client.UserInitiatedShutdown: User initiated shutdown", "Client.UserInitiatedShutdown"
    )


def _incorrect(instance: Any, operation: str) -> EC2ClientError:
    return EC2ClientError(
        "IncorrectInstanceState",
        f"The instance '{instance.id}' is not in a state from which it can be {operation} (it is {instance.state}).",
    )


def _init(original: AnyFunction, self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self.reboots = 0
    self.console_path = None
    _set(self, "pending")


def _start(_original: AnyFunction, self: Any) -> Any:
    if self.state not in _MAY_START:
        raise _incorrect(self, "started")
    if self.state == "stopped":
        self.launch_time = utcnow()
        self.state_reason = StateReason()
        return _set(self, "pending")
    return self._state


def _stop(_original: AnyFunction, self: Any) -> Any:
    if self.state not in _MAY_STOP:
        raise _incorrect(self, "stopped")
    if self.state in ("pending", "running"):
        _by_user(self)
        return _set(self, "stopping")
    return self._state


def _terminate_request(_original: AnyFunction, self: Any) -> Any:
    if self.state in ("shutting-down", "terminated"):
        return self._state
    _by_user(self)
    return _set(self, "shutting-down")


def _reboot(_original: AnyFunction, self: Any) -> None:
    if self.state not in ("pending", "running"):
        raise _incorrect(self, "rebooted")
    self.reboots += 1


_moto_terminate: AnyFunction


def _terminate(instance: Any) -> None:
    for interface in instance.nics.values():
        interface.delete_on_termination = interface.delete_on_termination or interface.device_index == 0
    _moto_terminate(instance)
    instance.nics = {}
    instance._subnet_id = None
    instance.terminated_at = utcnow()


def _status(before: AnyFunction, self: Any) -> Any:
    if self.state == "pending":
        return {"Status": "initializing", "Details": [{"Name": "reachability", "Status": "initializing"}]}
    return before(self)


def _without_interfaces(before: AnyFunction, self: Any) -> Any:
    return before(self) if self.nics else None


def install() -> None:
    global _moto_terminate  # noqa: PLW0603  moto's own is needed again, later than the request
    _moto_terminate = Instance.terminate
    replace(Instance, "__init__", _init)
    replace(Instance, "start", _start)
    replace(Instance, "stop", _stop)
    replace(Instance, "terminate", _terminate_request)
    replace(Instance, "reboot", _reboot)
    for name in ("instance_status", "system_status"):
        replace_property(Instance, name, _status)
    for name in ("private_ip", "private_ip_address", "public_ip", "public_ip_address", "private_dns_name"):
        replace_property(Instance, name, _without_interfaces)
