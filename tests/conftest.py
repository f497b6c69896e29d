"""Settings of every test.

The property tests try the same examples each time: a change is judged by itself, not by luck. Look for new
counterexamples with `HYPOTHESIS_PROFILE=explore .venv/bin/pytest tests/unit`.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("repeat", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))
