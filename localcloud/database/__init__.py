"""RDS's part: PostgreSQL 15 from the image, with the password from its secret and TLS by the local cloud's own CA."""

from localcloud.database.ca import ca_path
from localcloud.database.controller import DatabaseController

__all__ = ["DatabaseController", "ca_path"]
