# ruff: noqa: SLF001 - patching another's private methods is what this module is for
"""What moto's Distributed Map lacks against AWS's: child executions, tolerated failures, written results.

docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html; patched as `interpreter` patches.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl import (
    ItemReader,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    distributed_iteration_component,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
    distributed_item_processor_worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.resource_eval import (
    resource_eval_s3,
)
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

Worker = distributed_item_processor_worker.DistributedItemProcessorWorker
Component = distributed_iteration_component.DistributedIterationComponent

WHOLE_PERCENTAGE = re.compile(r'("ToleratedFailurePercentage"\s*:\s*\d+)(?=\s*[,}])')


def mend() -> ExitStack:
    """Mend the Distributed Map until the returned stack is closed."""
    stack = ExitStack()
    for target, name, substitute in (
        (Worker, "_eval_input", giving_input()),
        (Worker, "_eval_job", running_a_child()),
        (Worker, "_eval_pool", run_jobs),
        (Component, "_map_run", collecting_results()),
        (ItemReader, "_eval_body", reading_items()),
        (AmazonStateLanguageParser, "parse", staticmethod(parsing_whole_percentages())),
        (resource_eval_s3.ResourceEvalS3, "_handle_put_object", staticmethod(write_results)),
    ):
        stack.enter_context(patch.object(target, name, substitute))
    return stack


def giving_input() -> Any:
    """Run each item as an execution of its own: `$$.Execution` is the child's, with the item as its input."""
    original = Worker._eval_input

    def eval_input(self: Any, env_frame: Any) -> None:
        if not self._env.stack:
            self._env.stack.append(self._env.states.get_input())  # ItemSelector's `$`: the map state's input
        original(self, env_frame)
        context, record = env_frame.states.context_object.context_object_data, self._map_run_record
        name, machine = str(uuid.uuid4()), record.map_state_machine_arn
        context["Execution"] = {
            **context["Execution"],
            "Id": f"{machine.replace(':stateMachine:', ':execution:')}:{name}",
            "Name": name,
            "Input": env_frame.states.get_input(),
            "StartTime": now(),
        }
        context["StateMachine"] = {"Id": machine, "Name": machine.rpartition(":")[2]}

    return eval_input


def running_a_child() -> Any:
    """Note how each child ended, and fail the map once more children failed than the state tolerates."""
    original = Worker._eval_job

    def eval_job(self: Any, env: Any, job: Any) -> None:
        original(self, env=env, job=job)
        state, record = env.program_state(), self._map_run_record
        execution = env.states.context_object.context_object_data["Execution"]
        status = "SUCCEEDED" if isinstance(state, ProgramEnded) else "FAILED"
        result = {
            "index": job.job_index,
            "ExecutionArn": execution["Id"],
            "Input": json.dumps(execution["Input"]),
            "InputDetails": {"Included": True},
            "Name": execution["Name"],
            "StateMachineArn": record.map_state_machine_arn,
            "StartDate": execution["StartTime"],
            "StopDate": now(),
            "Status": status,
        }
        if status == "SUCCEEDED":
            result |= {"Output": json.dumps(job.job_output), "OutputDetails": {"Included": True}}
        elif isinstance(state, ProgramError):
            result |= {"Error": (state.error or {}).get("error"), "Cause": (state.error or {}).get("cause")}
        results_of(record).append(result)
        if status == "FAILED" and exceeds(record, self._job_pool._jobs_number):
            job.job_output = threshold_exceeded(env)

    return eval_job


def run_jobs(self: Any, job: Any, worker_frame: Any) -> None:
    """Take jobs until there are none: moto recurses, which a thousand windows would not survive."""
    while job is not None:
        frame = worker_frame.open_inner_frame()
        self._eval_job(env=frame, job=job)
        worker_frame.delete_frame(frame)
        if isinstance(job.job_output, Exception):
            # AWS aborts the children that still run
            for other in list(worker_frame._frames):
                other.set_stop(stop_date=None, cause=None, error=None)
        self._job_pool.close_job(job)
        job = None if isinstance(job.job_output, Exception) or self.stopped() else self._job_pool.next_job()


def collecting_results() -> Any:
    """Leave failed children out of the state's output, as AWS does; moto puts nulls there."""
    original = Component._map_run

    def map_run(self: Any, env: Any, eval_input: Any) -> None:
        env.map_run_record = eval_input.map_run_record  # which of several map runs at once this frame's is
        original(self, env=env, eval_input=eval_input)
        failed = {one["index"] for one in results_of(eval_input.map_run_record) if one["Status"] == "FAILED"}
        env.stack.append([one for index, one in enumerate(env.stack.pop()) if index not in failed])

    return map_run


def parsing_whole_percentages() -> Any:
    """Take a ToleratedFailurePercentage of 50 as 50.0; moto's grammar wants the fraction."""
    original: Any = AmazonStateLanguageParser.parse

    def parse(definition: str) -> Any:
        return original(WHOLE_PERCENTAGE.sub(r"\1.0", definition))

    return parse


def reading_items() -> Any:
    """Call a reader's failure States.ItemReaderFailed."""
    original = ItemReader._eval_body

    def eval_body(self: ItemReader, env: Any) -> None:
        try:
            original(self, env)
        except Exception as error:
            raise failure(env, StatesErrorNameType.StatesItemReaderFailed, str(error)) from error

    return eval_body


def write_results(env: Any, resource_runtime_part: Any, state_credentials: Any) -> None:
    """Write one file of results for each outcome, and the manifest that names them.

    docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html; moto's manifest is empty.
    """
    parameters = env.stack.pop()
    env.stack.pop()
    s3 = resource_eval_s3.ResourceEvalS3._get_s3_client(
        resource_runtime_part=resource_runtime_part, state_credentials=state_credentials
    )
    record = env.map_run_record
    bucket, prefix = parameters["Bucket"], parameters.get("Prefix", "")
    folder = f"{prefix}/{record.map_run_arn.split(':')[-1]}".lstrip("/").replace("//", "/")
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status in ("FAILED", "SUCCEEDED"):
        chosen = [one for one in results_of(record) if one["Status"] == status]
        chosen.sort(key=lambda one: int(one["index"]))
        if chosen:
            body = json.dumps(
                [{key: one[key] for key in sorted(one) if key != "index"} for one in chosen]
            ).encode()
            key = f"{folder}/{status}_0.json"
            s3.put_object(Bucket=bucket, Key=key, Body=body)
            files[status].append({"Key": key, "Size": len(body)})
    manifest = {"DestinationBucket": bucket, "MapRunArn": record.map_run_arn, "ResultFiles": files}
    key = f"{folder}/manifest.json"
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(manifest).encode())
    details = {"MapRunArn": record.map_run_arn, "ResultWriterDetails": {"Bucket": bucket, "Key": key}}
    env.stack.append(details)


def results_of(record: Any) -> list[dict[str, Any]]:
    """Give the list of results that a map run carries with it."""
    results: list[dict[str, Any]] = record.__dict__.setdefault("results", [])
    return results


def exceeds(record: Any, total: int) -> bool:
    """Tell whether more children failed than tolerated; with neither limit given, one is too many."""
    failed = len([one for one in results_of(record) if one["Status"] == "FAILED"])
    count, percentage = int(record.tolerated_failure_count), float(record.tolerated_failure_percentage)
    if not count and not percentage:
        return failed > 0
    return bool((count and failed > count) or (percentage and failed * 100 > percentage * total))


def threshold_exceeded(env: Any) -> FailureEventException:
    """Give AWS's error for it."""
    cause = "The specified tolerated failure threshold was exceeded"
    return failure(env, StatesErrorNameType.StatesExceedToleratedFailureThreshold, cause)


def failure(env: Any, kind: StatesErrorNameType, cause: str) -> FailureEventException:
    """Give a failure of the map run, in the interpreter's own words."""
    details: Any = {"mapRunFailedEventDetails": {"error": kind.to_name(), "cause": cause}}
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=StatesErrorName(typ=kind),
            event_type=HistoryEventType.MapRunFailed,
            event_details=details,
        )
    )


def now() -> str:
    """Spell the time as Step Functions does."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
