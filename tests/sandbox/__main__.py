"""`python -m tests.sandbox run|vendor|coverage …`: `--help` says the rest."""

from __future__ import annotations

import sys

from tests.sandbox.cli import main

if __name__ == "__main__":
    sys.exit(main())
