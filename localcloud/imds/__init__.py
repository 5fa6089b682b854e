"""The instance metadata service: what an EC2 instance learns of itself at 169.254.169.254, by IMDSv2.

The caller is known by its source address alone, as on EC2: the network namespace is what makes that trustworthy.
"""

from localcloud.imds.server import ImdsServer

__all__ = ["ImdsServer"]
