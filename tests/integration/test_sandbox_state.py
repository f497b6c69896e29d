from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox.engine import Sandbox

TOY = Path(__file__).parents[1] / "sandbox" / "toy" / "template.yaml"


def test_ledger_and_bucket_outlive_a_sandbox(tmp_path: Path) -> None:
    # Given
    with Sandbox(template=TOY, state=tmp_path / "state") as sandbox:
        sandbox.invoke("TalkFunction", {"do": "count", "name": "calls"})
        s3, bucket = sandbox.client("s3"), sandbox.bucket
        s3.put_object(Bucket=bucket, Key="a", Body=b"1", Metadata={"export-id": "x"}, ContentType="text/csv")
        s3.put_object(Bucket=bucket, Key="a", Body=b"22")
        s3.put_object(Bucket=bucket, Key="gone", Body=b"333")
        s3.delete_object(Bucket=bucket, Key="gone")
        before = sandbox.objects(all_versions=True)

    # When
    with Sandbox(template=TOY, state=tmp_path / "state") as sandbox:
        after = sandbox.objects(all_versions=True)
        again = sandbox.invoke("TalkFunction", {"do": "count", "name": "calls"}).json()

        # Then: versions keep their ids, their order and what they hold
        assert after == before
        assert [(one.key, one.size, one.latest) for one in after] == [
            ("a", 2, True),
            ("a", 1, False),
            ("gone", 3, False),
        ]
        assert (after[1].metadata, after[1].content_type) == ({"export-id": "x"}, "text/csv")
        assert sandbox.read("a", after[1].version_id) == b"1"
        assert again["n"] == 2


def test_what_was_deleted_does_not_come_back(tmp_path: Path) -> None:
    # Given
    with Sandbox(template=TOY, state=tmp_path) as sandbox:
        sandbox.client("s3").put_object(Bucket=sandbox.bucket, Key="a", Body=b"1")
        (stored,) = sandbox.objects()

    # When
    with Sandbox(template=TOY, state=tmp_path) as sandbox:
        sandbox.client("s3").delete_object(Bucket=sandbox.bucket, Key="a", VersionId=stored.version_id)

    # Then
    assert list((tmp_path / "objects").iterdir()) == []
    with Sandbox(template=TOY, state=tmp_path) as sandbox:
        assert sandbox.objects(all_versions=True) == []


def test_a_broken_state_is_refused(tmp_path: Path) -> None:
    # Given
    (tmp_path / "ledger.json").write_text("no json")

    # When, Then
    with (
        pytest.raises(ValueError, match="holds no state of the sandbox"),
        Sandbox(template=TOY, state=tmp_path),
    ):
        pass
