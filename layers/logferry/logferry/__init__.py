"""Logferry: finished log exports, out of SaaS APIs, into your own S3 bucket."""

__version__ = "0.1.0"
