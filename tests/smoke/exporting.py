"""One export on the deployed stack: that it lands, whole, once, and that a failure is heard of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from logferry.unpack.entry_keys import EntryKeys
from tests.smoke.report import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from logferry.models.request import ExportRequest
    from tests.smoke.executions import Ended, Executions
    from tests.smoke.report import Report
    from tests.smoke.stack import Stack

READ_BYTES = 1024**2
LOOKS = 60
LOOK_SECONDS = 2.0
"""Between looks at what comes by itself: events take seconds, a cold start a second or two."""
STOPS = 5
REMEDIES = {
    "InvalidRequestError": "correct the input: the cause names the field",
    "ConnectionConfigError": "create or correct the connection's secret; see its name and KMS key",
    "AuthenticationError": "renew the connection's credentials; a 403 names the permission",
    "SourceUnavailableError": "can the functions reach the vendor? See subnets, proxy, and its status",
    "DownloadRefusedError": "add the host to the connection's download_hosts, if it is right",
    "DeliveryError": "the cause names the permission, key or bucket that is wrong",
}
BROKEN_INPUT = {"source": "smoke", "connection": "smoke"}


@dataclass
class Exporting:
    """The checks of one export; each says what it proves, and raises Broken at the first promise unkept."""

    stack: Stack
    client: Callable[[str], Any]
    executions: Executions
    request: ExportRequest
    document: dict[str, Any]
    report: Report
    pause: Callable[[float], None]

    @property
    def bucket(self) -> str:
        """Give where things land."""
        return self.stack.outputs["BucketName"]

    def lands(self) -> Ended:
        """Export for real, as a refresh, so that an earlier landing proves nothing for this one."""
        ended = self.executions.run({**self.document, "refresh": True})
        if ended.status != "SUCCEEDED":
            remedy = REMEDIES.get(ended.error, "see the functions' logs, and README, Errors")
            raise Broken(f"the export ended {ended.status} with {ended.error}: {ended.cause}", remedy)
        if ended.output["state"] != "LANDED":
            raise Broken(
                f"another execution, {ended.output['owner']}, is at work on this export", "wait for it"
            )
        self.report.proves(
            f"an export landed {ended.output['size']:,} bytes, {ended.output['records']} records, after"
            f" {ended.output['polls']} polls: the roles of submit, status and fetch suffice for it"
        )
        return ended

    def is_whole(self, output: dict[str, Any]) -> None:
        """Download what landed and compare."""
        s3 = self.client("s3")
        for each in output["objects"]:
            sha256 = hashlib.sha256()
            reply = s3.get_object(Bucket=self.bucket, Key=each["key"])
            for block in reply["Body"].iter_chunks(READ_BYTES):
                sha256.update(block)
            if sha256.hexdigest() != each["sha256"] or reply.get("VersionId") != each["version_id"]:
                raise Broken(f"{each['key']} is not what was announced", "who else writes to this bucket?")
            if reply["Metadata"].get("export-id") != self.request.export_id:
                raise Broken(f"{each['key']} does not carry its export id", "who else writes to this bucket?")
        manifest = json.loads(s3.get_object(Bucket=self.bucket, Key=output["manifest_key"])["Body"].read())
        if manifest["version_id"] != output["objects"][0]["version_id"]:
            raise Broken("the manifest names another version", "who else writes to this bucket?")
        self.report.proves(
            "the object's SHA-256, read back, is the one announced; version and manifest agree with it"
        )
        self._is_encrypted(reply)
        if "-" in reply["ETag"]:
            self.report.proves("a multipart upload was completed under a condition")
        else:
            self.report.leaves_open(
                "the conditional completion of a multipart upload: this file went up in one part"
            )

    def _is_encrypted(self, reply: dict[str, Any]) -> None:
        how, key = reply.get("ServerSideEncryption"), reply.get("SSEKMSKeyId")
        wanted = self.stack.outputs["KeyArn"]
        if how is None:
            self.report.leaves_open("encryption with KMS: this S3 says nothing of it")
        elif key == wanted:
            self.report.proves("the object is encrypted with the stack's KMS key, which fetch may use")
        elif "Bucket" in self.stack.resources:
            raise Broken(
                f"the object is encrypted with {key or how}, not with {wanted}", "deploy the stack again"
            )
        else:
            self.report.proves(f"the object is encrypted as your own bucket says: {key or how}")

    def is_announced(self, ended: Ended) -> None:
        """Look into the ledger."""
        row = self._item(self.request.series_id, self.request.window_key)
        if row.get("state") != "LANDED" or row.get("owner") != ended.arn:
            raise Broken("the ledger does not know of the landing", "see fetch's log")
        if "notified_at" not in row:
            raise Broken("the landing was not announced", "may fetch publish to the topic and use its key?")
        self.report.proves("the ledger says LANDED, and that SNS took the notification")
        self.report.leaves_open("that a subscriber got the notification: only its reader can tell")

    def is_not_repeated(self, first: Ended) -> None:
        """Start the same again, not as a refresh."""
        again = self.executions.run({**self.document, "refresh": False})
        if again.status != "SUCCEEDED" or again.output != first.output:
            raise Broken("a second start did not answer with the first landing", "see submit's log")
        self.report.proves("a second start answered with the same landing, without a new job")

    def fails_aloud(self) -> None:
        """Start what nobody can export."""
        ended = self.executions.run(BROKEN_INPUT)
        if (ended.status, ended.error) != ("FAILED", "InvalidRequestError"):
            raise Broken(
                f"a wrong input ended {ended.status} with {ended.error or 'no error'}", "see submit's log"
            )
        if not self._mark(ended.arn):
            raise Broken(
                "the failure was not announced", "may abandon publish to the topic and write the table?"
            )
        self.report.proves("a wrong input ended FAILED with InvalidRequestError, and was announced")

    def stops_aloud(self) -> None:
        """Stop an execution by hand: no Catch runs then, only the rule can tell abandon.

        The input is one that nobody can export, so that the vendor is never asked.
        """
        for _ in range(STOPS):
            arn = self.executions.start(BROKEN_INPUT)
            self.executions.stop(arn)
            if self.executions.wait(arn).status == "ABORTED":
                break
        else:
            self.report.leaves_open(
                "the status-change rule: every execution failed before it could be stopped"
            )
            return
        self._comes(
            lambda: self._mark(arn),
            Broken(
                "an execution stopped by hand was not announced",
                "see the rule ExecutionEndedRule, its dead letters (RuleDeadLetters) and abandon's log",
            ),
        )
        self.report.proves("an execution stopped by hand was announced: EventBridge's rule calls abandon")

    def is_unpacked(self, output: dict[str, Any]) -> None:
        """Wait for the unpack function, where the stack has it."""
        key, version = output["key"], output["objects"][0]["version_id"]
        if "UnpackFunction" not in self.stack.resources or not key.endswith(".zip"):
            self.report.leaves_open("unpacking: it is off, or this export is no ZIP")
            return
        s3, prefix = self.client("s3"), EntryKeys(key).prefix

        def found() -> bool:
            listed = s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
            heads = [s3.head_object(Bucket=self.bucket, Key=each["Key"]) for each in listed[:1]]
            return any(each["Metadata"].get("source-version") == version for each in heads)

        if output["records"] == 0:
            self.report.leaves_open("unpacking: this export is empty")
            return
        remedy = "see ManifestWrittenRule, UnpackDeadLetters, and whether the bucket sends EventBridge events"
        self._comes(found, Broken(f"nothing was unpacked under {prefix}", remedy))
        self.report.proves("the bucket's event called unpack, and its objects are of this very version")

    def _comes(self, there: Callable[[], bool], otherwise: Broken) -> None:
        for _ in range(LOOKS):
            if there():
                return
            self.pause(LOOK_SECONDS)
        raise otherwise

    def _mark(self, execution: str) -> bool:
        return bool(self._item(f"execution/{execution}", "failure"))

    def _item(self, series: str, window: str) -> dict[str, Any]:
        reply = self.client("dynamodb").get_item(
            TableName=self.stack.outputs["TableName"],
            Key={"series": {"S": series}, "window": {"S": window}},
            ConsistentRead=True,
        )
        read = TypeDeserializer().deserialize
        return {name: read(value) for name, value in reply.get("Item", {}).items()}
