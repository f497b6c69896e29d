"""What the sandbox's topics and queues hold."""

from __future__ import annotations

import json
from typing import Any

from moto.sns.models import sns_backends

from tests.sandbox.cloud import ACCOUNT, REGION


def published(topic_arn: str) -> list[dict[str, Any]]:
    """Give what was published to a topic: `message` (parsed if JSON), `email`, `subject`, `attributes`.

    From moto's record of what was published; a queue would get the default body only.
    """
    sent = sns_backends[ACCOUNT][REGION].topics[topic_arn].sent_notifications
    return [notification(text, subject, attributes) for _, text, subject, attributes, _ in sent]


def notification(text: str, subject: str | None, attributes: dict[str, Any] | None) -> dict[str, Any]:
    """Take one published message apart."""
    bodies = parsed(text)
    structured = isinstance(bodies, dict) and "default" in bodies
    return {
        "message": parsed(bodies["default"]) if structured else bodies,
        "email": bodies.get("email") if structured else None,
        "subject": subject,
        "attributes": {name: one.get("Value") for name, one in (attributes or {}).items()},
    }


def parsed(text: str) -> Any:
    """Parse JSON, or leave a text that is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def take(sqs: Any, url: str) -> list[dict[str, Any]]:
    """Take the messages that wait in a queue: `body` and `attributes`."""
    taken: list[dict[str, Any]] = []
    while found := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        for one in found:
            attributes = one.get("MessageAttributes", {})
            texts = {key: value["StringValue"] for key, value in attributes.items()}
            taken.append({"body": one["Body"], "attributes": texts})
    return taken
