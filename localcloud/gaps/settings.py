"""Moto's own strictness, switched on: it accepts bogus images, instance types and keys unless told otherwise.

Moto reads these from the environment when it is imported, too early to rely on, so they are set in both places.
`images.json` replaces its 1,301 images, which hold no Debian and make DescribeImages take most of a second.
Fixed when moto refuses a bogus ImageId by default.
"""

import json
import os
from pathlib import Path

from moto import settings
from moto.ec2.models import amis

IMAGES = Path(__file__).with_name("images.json")
ACCOUNT = "123456789012"
ENVIRONMENT = {
    "MOTO_ACCOUNT_ID": ACCOUNT,
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    "MOTO_ENABLE_AMI_VALIDATION": "1",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "1",
    "MOTO_ENABLE_KEYPAIR_VALIDATION": "1",
    "MOTO_DISABLE_GLOBAL_CORS": "1",
    "MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS": "false",
    "MOTO_ACM_VALIDATION_WAIT": "1",
    "MOTO_AMIS_PATH": str(IMAGES),
}


def install() -> None:
    os.environ.update(ENVIRONMENT)
    settings.ENABLE_AMI_VALIDATION = True
    settings.EC2_ENABLE_INSTANCE_TYPE_VALIDATION = True
    settings.ENABLE_KEYPAIR_VALIDATION = True
    settings.DISABLE_GLOBAL_CORS = True
    settings.ACM_VALIDATION_WAIT = 1
    amis.AMIS = json.loads(IMAGES.read_text())
