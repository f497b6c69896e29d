"""The emulated vendors: Coherent Spark and IBM Activity Tracker over HTTPS, with every fault on demand."""

from __future__ import annotations

from tests.sandbox.vendor.delivery import Delivery
from tests.sandbox.vendor.knobs import Knobs
from tests.sandbox.vendor.messages import Received, Reply
from tests.sandbox.vendor.serve import serve
from tests.sandbox.vendor.vendors import Vendors

__all__ = ["Delivery", "Knobs", "Received", "Reply", "Vendors", "serve"]
