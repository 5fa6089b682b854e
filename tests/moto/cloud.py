"""A local cloud without machines for tests: the API with its gaps closed, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from localcloud.api.callers import OPERATOR_KEY_ID, OPERATOR_SECRET

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": OPERATOR_KEY_ID,
    "AWS_SECRET_ACCESS_KEY": OPERATOR_SECRET,
    "AWS_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def instant_cloud() -> Iterator[str]:
    """The endpoint's address, for as long as the context lasts. Instances run, and targets are healthy, at once."""
    argv = [sys.executable, "-m", "localcloud.api", "--instant"]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            endpoint = process.stdout.readline().strip()
            assert endpoint.startswith("http://"), "the API did not start"
            yield endpoint
        finally:
            process.kill()


def client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=ENVIRONMENT["AWS_REGION"],
        aws_access_key_id=ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
    )
