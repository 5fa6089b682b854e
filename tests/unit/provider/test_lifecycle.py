"""The order of a handler's steps, and that nothing which exists is ever forgotten."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.provider import lifecycle
from localcloud.provider.lifecycle import UnfinishedError
from localcloud.provider.values import UNKNOWN
from tests.unit.provider.things import Thing, call, good


def made(**news: Any) -> tuple[Thing, dict[str, Any], dict[str, Any]]:
    thing, args = Thing(), good(**news)
    return thing, args, lifecycle.create(thing, call(), args)[1]


def test_create_makes_configures_and_reads() -> None:
    thing, args, outputs = made(password="longenough")
    assert thing.calls == ["create", "configure", "read"]
    assert outputs["arn"] == "arn:aws:x"
    assert outputs["region"] == "us-east-1"
    assert outputs["password"] == args["password"], "what AWS never answers is kept"
    assert "__defaults" not in outputs


def test_a_failure_before_there_is_an_id_leaves_nothing() -> None:
    thing = Thing()
    thing.fails = "create"
    with pytest.raises(RuntimeError):
        lifecycle.create(thing, call(), good())


@pytest.mark.parametrize("step", ["configure", "read"])
def test_a_failure_after_that_carries_the_id_and_what_is_known(step: str) -> None:
    thing = Thing()
    thing.fails = step
    with pytest.raises(UnfinishedError, match=f"{step} failed") as told:
        lifecycle.create(thing, call(), good())
    assert told.value.id == "thing-1"
    assert told.value.outputs["kind"] == "big"


def test_an_update_without_a_change_completes_what_was_left_unfinished() -> None:
    thing, args, outputs = made()
    thing.calls.clear()
    lifecycle.update(thing, call(), "thing-1", outputs, args)
    assert thing.calls == ["configure", "read"]


def test_a_failed_update_tells_how_things_are_now() -> None:
    thing, _, outputs = made()
    thing.fails = "update"
    with pytest.raises(UnfinishedError) as told:
        lifecycle.update(thing, call(), "thing-1", outputs, good(size=4))
    assert told.value.outputs["size"] == 3, "not what was wished for"


def test_a_preview_knows_inputs_and_nothing_else() -> None:
    planned = lifecycle.preview_create(Thing(), good())
    assert planned["size"] == 3
    assert planned["arn"] is UNKNOWN
    assert planned["zone"] is UNKNOWN
    assert planned["labels"] is None


def test_a_preview_of_an_update_keeps_what_stays() -> None:
    _, _, outputs = made()
    planned = lifecycle.preview_update(Thing(), outputs, good(size=4))
    assert planned["arn"] == "arn:aws:x"
    assert planned["version"] is UNKNOWN
    assert lifecycle.preview_update(Thing(), outputs, good())["version"] == 1


def test_a_refresh_sees_drift_and_nothing_else() -> None:
    thing, args, outputs = made(policy='{"a": "b"}', rules=[{"port": 1}, {"port": 2}], labels={"x": "y"})
    assert thing.aws is not None
    thing.aws |= {"policy": '{ "a": ["b"] }', "rules": list(reversed(args["rules"]))}
    read = lifecycle.read(thing, call(), "thing-1", outputs, args)
    assert read is not None
    assert read.outputs == outputs
    assert read.inputs == args, "another spelling of the same is no drift"

    thing.aws |= {"size": 5, "labels": {}, "enabled": True, "zone": "b", "members": ["x"]}
    read = lifecycle.read(thing, call(), "thing-1", outputs, args)
    assert read is not None
    assert read.inputs["size"] == 5
    assert read.inputs["enabled"] is True, "somebody turned it on"
    assert "zone" not in read.inputs, "AWS's own choice is not the program's"
    assert "members" not in read.outputs, "other resources' affair"


def test_what_is_gone_reads_as_nothing() -> None:
    thing, args, outputs = made()
    thing.aws = None
    assert lifecycle.read(thing, call(), "thing-1", outputs, args) is None


def test_an_import_finds_the_inputs_out() -> None:
    thing, _, _ = made(labels={"x": "y"}, tags={"Name": "n"})
    read = lifecycle.read(thing, call(), "thing-1", {}, {})
    assert read is not None
    assert read.inputs["labels"] == {"x": "y"}
    assert read.inputs["tags"] == {"Name": "n"}, "the provider's own tags are not the program's"
    assert "size" not in read.inputs, "a default need not be written"


class Missing(Thing):
    def delete(self, call: Any, id: str, state: Any) -> None:
        raise ClientError({"Error": {"Code": "InvalidVpcID.NotFound", "Message": "no"}}, "DeleteVpc")


def test_deleting_what_does_not_exist_is_done_already() -> None:
    lifecycle.delete(Missing(), call(), "thing-1", {})
