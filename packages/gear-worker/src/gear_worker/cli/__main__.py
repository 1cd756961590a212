"""``python -m gear_worker.cli`` is ``gear-worker``."""

import sys

from gear_worker.cli.entry import main

sys.exit(main())
