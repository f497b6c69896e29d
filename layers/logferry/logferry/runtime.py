"""What the functions are told by their environment, and the clients they share while they are warm."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from logferry.errors import ConnectionConfigError, DeliveryError
from logferry.ledger.repository import Ledger
from logferry.ledger.table import Table

if TYPE_CHECKING:
    from datetime import datetime

    from aws_lambda_powertools.utilities.parameters import SecretsProvider
    from mypy_boto3_s3 import S3Client

SECRET_SECONDS = 300
"""How long a connection's secret is kept: a rotation is seen within 5 minutes, or at once after a 401."""

PASSING = {"ThrottlingException", "InternalServiceError", "InternalServiceErrorException"}
"""Secrets Manager's own troubles, which say nothing of the secret."""


@dataclass(frozen=True)
class Settings:
    """The parameters of the template, as the functions see them."""

    bucket: str
    bucket_owner: str
    table: str
    topic_arn: str
    secret_prefix: str
    job_deadline: timedelta
    adoptable_for: timedelta
    resubmit: bool
    """Whether one more POST is allowed when it is unknown whether the vendor accepted the first."""


@cache
def settings() -> Settings:
    """Read the environment once."""
    env = os.environ
    return Settings(
        bucket=env["BUCKET"],
        bucket_owner=env["BUCKET_OWNER"],
        table=env["TABLE"],
        topic_arn=env["TOPIC_ARN"],
        secret_prefix=env["SECRET_PREFIX"],
        job_deadline=timedelta(seconds=int(env["JOB_DEADLINE_SECONDS"])),
        adoptable_for=timedelta(seconds=int(env["ADOPT_SECONDS"])),
        resubmit=env["SUBMIT_UNCERTAIN"] == "resubmit",
    )


@cache
def client(service: str) -> Any:
    """Return the process's one client of a service; S3 has its own, `s3()`."""
    usual = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=20)
    return boto3.client(service, config=usual)  # type: ignore[call-overload]


@cache
def s3() -> S3Client:
    """Return the client that lands files."""
    from logferry.storage.bucket import s3_config  # noqa: PLC0415 - submit and status never touch the bucket

    return boto3.client("s3", config=s3_config())


@cache
def ledger() -> Ledger:
    """Return the ledger of this stack."""
    return Ledger(Table(client("dynamodb"), settings().table))


@cache
def _secrets() -> SecretsProvider:
    # Imported here: only functions that talk to a vendor pay for it.
    from aws_lambda_powertools.utilities.parameters import SecretsProvider  # noqa: PLC0415

    return SecretsProvider(boto3_client=client("secretsmanager"))


def secret(connection: str, *, fresh: bool) -> str:
    """Return the text of a connection's secret; `fresh` passes the cache by.

    Raises ConnectionConfigError where there is none, DeliveryError where Secrets Manager does not answer.
    """
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError  # noqa: PLC0415

    name = settings().secret_prefix + connection
    try:
        return str(_secrets().get(name, max_age=SECRET_SECONDS, force_fetch=fresh))
    except GetParameterError as error:
        cause = error.__context__
        code = cause.response["Error"]["Code"] if isinstance(cause, ClientError) else type(cause).__name__
        if code in PASSING or isinstance(cause, BotoCoreError):
            raise DeliveryError(f"Secrets Manager did not give the secret {name} ({code})") from error
        raise ConnectionConfigError(
            f"connection: no readable secret {name} ({code}); create it, or check the connection's name "
            "and that the function's role and key may read it"
        ) from error


@cache
def tokens() -> dict[str, tuple[str, float]]:
    """Return the access tokens of this process: by connection and secret, each with the time it expires."""
    return {}


@cache
def pictures() -> dict[str, tuple[str, datetime]]:
    """Return the coverage pictures of this process: by what was asked for, each with its time."""
    return {}


def execution_runs(arn: str) -> bool:
    """Check whether a Step Functions execution still runs; one that does not exist does not."""
    return describe_execution(arn).get("status") == "RUNNING"


def describe_execution(arn: str) -> dict[str, Any]:
    """Return what Step Functions knows of an execution, nothing where there is none. Raises DeliveryError."""
    try:
        known = client("stepfunctions").describe_execution(executionArn=arn)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in {"ExecutionDoesNotExist", "InvalidArn", "ValidationException"}:
            return {}
        raise DeliveryError(f"Step Functions DescribeExecution failed with {code}") from error
    except BotoCoreError as error:
        raise DeliveryError(f"Step Functions DescribeExecution failed: {type(error).__name__}") from error
    return {name: known[name] for name in ("status", "input", "error", "cause") if name in known}
