from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.sandbox.function import PAYLOAD_LIMIT, Function
from tests.sandbox.runtime import LambdaRuntime

if TYPE_CHECKING:
    from collections.abc import Iterator

TALK = Function(
    logical_id="TalkFunction",
    name="toy-talk",
    arn="arn:aws:lambda:eu-west-1:123456789012:function:toy-talk",
    code=Path(__file__).parents[1] / "sandbox" / "toy" / "talk",
    handler="app.lambda_handler",
    timeout=20,
    memory=256,
)


@pytest.fixture
def runtime() -> Iterator[LambdaRuntime]:
    runtime = LambdaRuntime(lambda _, __: {"AWS_DEFAULT_REGION": "eu-west-1"})
    runtime.start()
    runtime.register(TALK)
    yield runtime
    runtime.stop()


def call(runtime: LambdaRuntime, **event: Any) -> Any:
    return runtime.invoke("toy-talk", json.dumps(event).encode())


def test_an_exception_is_told_by_its_class_name(runtime: LambdaRuntime) -> None:
    # When
    reply = call(runtime, do="raise")

    # Then
    assert (reply.error, reply.error_type) == ("Unhandled", "StubbornError")
    assert reply.json()["errorMessage"] == "as I was told"


def test_a_warm_process_takes_the_next_call(runtime: LambdaRuntime) -> None:
    # When
    pids = {call(runtime, do="talk").json()["pid"] for _ in range(3)}

    # Then
    assert len(pids) == 1
    assert [one.cold for one in runtime.invocations] == [True, False, False]


def test_calls_at_once_have_a_process_each(runtime: LambdaRuntime) -> None:
    # Given
    runtime.register(replace(TALK, timeout=60))
    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(call, runtime, do="hang")

        # When: one call hangs, another is served all the same
        while not runtime.busy("toy-talk"):
            pass
        served = call(runtime, do="talk")

        # Then
        assert served.error is None
        assert runtime.kill_running("toy-talk") == 1
        assert hanging.result().error_type == "Runtime.ExitError"


def test_a_function_that_runs_out_of_time_is_killed(runtime: LambdaRuntime) -> None:
    # Given
    runtime.register(replace(TALK, timeout=0.2))

    # When
    reply = call(runtime, do="hang")

    # Then
    assert reply.error_type == "Sandbox.Timedout"
    assert "Task timed out after 0.20 seconds" in reply.json()["errorMessage"]


def test_a_function_that_outgrows_its_memory_is_killed(runtime: LambdaRuntime) -> None:
    # When
    reply = call(runtime, do="grow", mib=600)

    # Then
    assert reply.error_type == "Runtime.ExitError"
    assert "signal: killed" in reply.json()["errorMessage"]
    assert call(runtime, do="talk").error is None


def test_a_process_that_ends_under_a_call_is_told(runtime: LambdaRuntime) -> None:
    # When
    reply = call(runtime, do="exit")

    # Then
    assert reply.error_type == "Runtime.ExitError"
    assert "exit status 3" in reply.json()["errorMessage"]


def test_a_handler_that_cannot_be_imported_is_told(runtime: LambdaRuntime) -> None:
    # Given
    runtime.register(replace(TALK, handler="nothing.lambda_handler"))

    # When, Then
    assert call(runtime).error_type == "Runtime.ImportModuleError"


def test_nothing_of_the_developers_shell_reaches_a_function(
    runtime: LambdaRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    for name in ("HTTPS_PROXY", "REQUESTS_CA_BUNDLE", "AWS_PROFILE", "SOME_SECRET"):
        monkeypatch.setenv(name, "from the shell")
    runtime.register(replace(TALK, environment={"GREETING": "hello"}))

    # When
    seen = call(runtime, do="environment").json()

    # Then
    assert "from the shell" not in seen.values()
    assert seen["GREETING"] == "hello"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "toy-talk"
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert Path(seen["HOME"]) == runtime.home


def test_payloads_over_six_megabytes_are_refused_both_ways(runtime: LambdaRuntime) -> None:
    # When
    sent = runtime.invoke("toy-talk", b" " * (PAYLOAD_LIMIT + 1))
    received = call(runtime, do="reply", size=PAYLOAD_LIMIT)

    # Then
    assert (sent.status, sent.code) == (413, "RequestTooLargeException")
    assert received.error_type == "Function.ResponseSizeTooLarge"


def test_reserved_concurrency_throttles(runtime: LambdaRuntime) -> None:
    # Given
    runtime.register(replace(TALK, reserved_concurrency=0))

    # When, Then
    assert (call(runtime).status, call(runtime).code) == (429, "TooManyRequestsException")


def test_logs_hold_what_the_function_wrote(runtime: LambdaRuntime) -> None:
    # When
    call(runtime, do="raise")

    # Then
    written = runtime.logs("TalkFunction")
    assert "doing raise\n" in written
    assert "on stderr\n" in written
    assert "[ERROR] StubbornError: as I was told" in written
    assert "REPORT RequestId: " in written


def test_botocores_own_client_calls_and_reads_the_errors(runtime: LambdaRuntime) -> None:
    # Given
    client = boto3.client(
        "lambda",
        endpoint_url=runtime.url,
        region_name="eu-west-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )

    # When
    well = client.invoke(FunctionName=TALK.arn, Payload=b'{"do": "talk"}')
    badly = client.invoke(FunctionName="toy-talk", Payload=b'{"do": "raise"}')

    # Then
    assert json.load(well["Payload"])["arn"] == TALK.arn
    assert "FunctionError" not in well
    assert badly["FunctionError"] == "Unhandled"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nobody")
