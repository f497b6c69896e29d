"""The notification: JSON for programs, sentences for people."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from logferry import errors
from logferry.errors import DeliveryError, LogferryError
from logferry.redact import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_sns import SNSClient

SCHEMA = "logferry.notification/1"

LONGEST_MESSAGE, LONGEST_TEXT = 256 * 1024, 64 * 1024
"""Bytes that SNS takes, and of them what people get.
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

OF_COLLECTION = re.compile(r":[0-9a-f]{64}-[0-9]+(-[0-9a-f]{8})?$")
"""Ends the ARN of an execution that a collection started: export, attempt, and the run of a second name."""

CAUSE = 1024
"""Characters of a cause that are kept."""


def landing_notice(identity: Mapping[str, Any], export_id: str, landing: Mapping[str, Any]) -> dict[str, Any]:
    """Make the notification of a landing from what the ledger holds of it."""
    return {**_subject(identity, export_id), "status": "LANDED", **_object(landing)}


def failure_notice(
    identity: Mapping[str, Any], export_id: str | None, bucket: str, error: str, cause: str
) -> dict[str, Any]:
    """Make the notification of a failure; `error` and `cause` are redacted already."""
    return {
        **_subject(identity, export_id),
        "status": "FAILED",
        **_object({"bucket": bucket}),
        "error": error,
        "cause": cause,
    }


def publish(client: SNSClient, topic: str, document: Mapping[str, Any], execution: str) -> None:
    """Publish a notification in the name of an execution. Raises DeliveryError.

    Its attribute `collection` is there where a collection started the execution: the summary tells of it too.
    """
    document = {**document, "execution": execution}
    attributes = {
        name: str(document[name]) for name in ("status", "source", "connection") if document.get(name)
    }
    if OF_COLLECTION.search(execution):
        attributes["collection"] = "true"
    publish_message(client, topic, document, _sentences(document), attributes)


def publish_message(
    client: SNSClient,
    topic: str,
    document: Mapping[str, Any],
    text: str,
    attributes: Mapping[str, str],
) -> None:
    """Publish a document for programs and a text for people, whose first line is the subject.

    Raises DeliveryError.
    """
    message = _fitting(document, text)
    try:
        client.publish(
            TopicArn=topic,
            # AWS refuses subjects over 100 characters, or with others than printable ASCII.
            Subject=re.sub(r"[^ -~]", "?", text.partition("\n")[0])[:100],
            Message=message,
            MessageStructure="json",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise DeliveryError(
            f"SNS Publish failed with {code}; what landed stays landed, start again to announce it"
        ) from error
    except BotoCoreError as error:
        raise DeliveryError(f"SNS Publish failed: {type(error).__name__}") from error


def _fitting(document: Mapping[str, Any], text: str) -> str:
    """Write a message that SNS takes: where it is too long, its longest list is cut, and `cut` counts it.

    Raises DeliveryError where no list is left to be cut.
    """
    kept, cut = dict(document), dict[str, int]()
    text = cut_short(text, LONGEST_TEXT)
    while True:
        message = json.dumps(
            {"default": json.dumps({**kept, **({"cut": cut} if cut else {})}), "email": text}
        )
        if len(message) <= LONGEST_MESSAGE:
            return message
        lists = [name for name, value in kept.items() if isinstance(value, list) and value]
        if not lists:
            raise DeliveryError(f"a notification of {len(message)} bytes, and SNS takes {LONGEST_MESSAGE}")
        longest = max(lists, key=lambda name: len(json.dumps(kept[name])))
        half = len(kept[longest]) // 2
        cut[longest] = cut.get(longest, 0) + len(kept[longest]) - half
        kept[longest] = kept[longest][:half]


def cut_short(text: str, most: int) -> str:
    """Return a text of at most about `most` bytes once it is JSON, with the count of what was cut."""
    written = len(json.dumps(text))
    if written <= most:
        return text
    keep = len(text) * most // written
    return f"{text[:keep]}\n… and {len(text) - keep:,} more characters."


def failure_words(error: str, cause: str) -> str:
    """Return the message of a failure's cause: Lambda wraps it in JSON, with a stack trace.

    Our own errors hold no secret; anything else is redacted.
    """
    with suppress(ValueError, KeyError, TypeError):
        cause = str(json.loads(cause)["errorMessage"])
    kind = getattr(errors, error, None)
    ours = isinstance(kind, type) and issubclass(kind, LogferryError) and kind is not LogferryError
    return cause[:CAUSE] if ours else redact(cause, CAUSE)


def _subject(identity: Mapping[str, Any], export_id: str | None) -> dict[str, Any]:
    named = {name: identity.get(name) for name in ("source", "connection", "target", "window")}
    return {"schema": SCHEMA, "status": None, "export_id": export_id, **named}


def _object(landing: Mapping[str, Any]) -> dict[str, Any]:
    names = ("bucket", "key", "version_id", "manifest_key", "size", "sha256", "records")
    return {**{name: landing.get(name) for name in names}, "suspect": list(landing.get("suspect", ()))}


def _sentences(document: Mapping[str, Any]) -> str:
    window = document["window"]
    what = f"{document['source'] or 'an export'} of {document['connection'] or 'an unknown connection'}"
    when = f"\nWindow: {window['start']} to {window['end']} (end not included)." if window else ""
    target = ", ".join(f"{key} {value}" for key, value in (document["target"] or {}).items())
    where = f"\nTarget: {target}." if target else ""
    if document["status"] == "LANDED":
        records = document["records"]
        count = "an unknown number of records" if records is None else f"{records:,} records"
        doubts = "".join(f"\nLook at it: {reason}." for reason in document["suspect"])
        return (
            f"Logferry landed {what}.{when}{where}\n"
            f"{count}, {document['size']:,} bytes, in s3://{document['bucket']}/{document['key']}.\n"
            f"The manifest beside it says what was checked.{doubts}"
        )
    return (
        f"Logferry could not export {what}.{when}{where}\n"
        f"Why: {document['error']}: {document['cause']}\n"
        "Nothing of this attempt has landed: what it may have put under the final key is taken away, or "
        "replaced by the next attempt where Object Lock holds it.\n"
        "What to do: mend the cause if it is named above, "
        "then start the export again with the same input; a collection does so by itself on its next run.\n"
        f"Execution: {document['execution']}"
    )
