"""The level of gearmand's that `logging` does not have."""

import logging
from typing import Final

NOTICE: Final = (logging.INFO + logging.WARNING) // 2
