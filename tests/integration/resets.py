"""Tests that need Python to see a reset for what it is."""

from __future__ import annotations

import sys

import pytest

SEES_RESETS = pytest.mark.skipif(
    sys.version_info < (3, 12, 4),
    reason="older Pythons take the reset of a TLS connection for its orderly end (CPython gh-115627)",
)
