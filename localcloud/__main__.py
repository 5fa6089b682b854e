"""`python -m localcloud`: the verbs of the local cloud."""

from localcloud.cli import main
from ops.errors import reported

with reported("localcloud"):
    main()
