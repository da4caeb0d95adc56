import dataclasses
import json
import unittest
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

from berth_guest import phase, registry
from berth_guest.workflows import BerthWorkflowActivities010, BerthWorkflowRegistry010, BerthWorkflowWorkflows010
from componentize_py_types import Err
from dapr.ext.workflow import (
    DaprWorkflowClient,
    DaprWorkflowContext,
    NonRetryableError,
    RetryPolicy,
    TaskCanceledError,
    TaskFailedError,
    WorkflowActivityContext,
    WorkflowRuntime,
    WorkflowStatus,
    alternate_name,
    when_all,
    when_any,
)
from fakes import reset, world
from fakes.workflow_client import instance
from wit_world.exports.berth_workflow_activities_0_1_0 import Task
from wit_world.imports import berth_workflow_client_0_1_0 as client_wit
from wit_world.imports.berth_workflow_types_0_1_0 import Payload


def payload(value=None):
    return Payload(b"" if value is None else json.dumps(value).encode(), None)


def value(given):
    return json.loads(given.data) if given.data else None


def run(name, input=None):
    return value(BerthWorkflowWorkflows010().run(name, payload(input)))


def attempt(name, input=None):
    task = Task("instance", "a", "run-1:7", 2, "key", [])
    return value(BerthWorkflowActivities010().run(task, name, payload(input)))


class Case(unittest.TestCase):
    def setUp(self):
        reset()
        phase.enter_service()
        registry.workflows.clear()
        registry.activities.clear()
        self.runtime = WorkflowRuntime()
        world.activities["double"] = lambda input: payload(value(input) * 2)

    @contextmanager
    def fails_with(self, kind):
        seen = SimpleNamespace()
        with self.assertRaises(Err) as raised:
            yield seen
        seen.failure = raised.exception.value
        self.assertEqual(seen.failure.kind, kind)


class Workflows(Case):
    def test_a_generator_is_given_what_it_yields(self):
        @self.runtime.workflow
        def chain(ctx: DaprWorkflowContext, number: int):
            number = yield ctx.call_activity("double", input=number)
            number = yield ctx.call_activity("double", input=number)
            return {"id": ctx.instance_id, "number": number}

        self.assertEqual(run("chain", 3), {"id": "instance", "number": 12})
        self.assertEqual(world.options.retry.max_attempts, 1)

    def test_an_instance_keeps_the_version_that_it_began_with(self):
        @self.runtime.versioned_workflow(name="ship", version_name="v1", is_latest=False)
        def by_rail(ctx: DaprWorkflowContext):
            return "rail"

        @self.runtime.versioned_workflow(name="ship", is_latest=True)
        def by_air(ctx: DaprWorkflowContext):
            return "air"

        self.assertEqual(BerthWorkflowRegistry010().workflows(), ["ship"])
        world.patches = {"version by_air"}
        self.assertEqual(run("ship"), "air")
        world.patches = {"version v1"}
        self.assertEqual(run("ship"), "rail")
        # It is older than all versions.
        world.patches = set()
        self.assertEqual(run("ship"), "rail")
        with self.assertRaisesRegex(ValueError, "by_air"):
            self.runtime.versioned_workflow(by_air, name="ship", version_name="by_air", is_latest=False)
        with self.assertRaisesRegex(ValueError, "ship"):
            self.runtime.register_workflow(by_rail)
        # What is refused leaves nothing behind.
        with self.assertRaises(TypeError):
            self.runtime.register_versioned_workflow(lambda ctx: None, name="nameless", is_latest=True)
        self.assertEqual(BerthWorkflowRegistry010().workflows(), ["ship"])

    def test_a_plain_function_is_a_workflow_and_the_input_may_be_left_out(self):
        self.runtime.register_workflow(lambda ctx: ctx.instance_id, name="plain")
        self.assertEqual(run("plain", 1), "instance")

    def test_all_and_any(self):
        @self.runtime.workflow
        def fan(ctx, _):
            doubled = yield when_all([ctx.call_activity("double", input=number) for number in (1, 2, 3)])
            timer = ctx.create_timer(timedelta(days=30))
            work = ctx.call_activity("double", input=5)
            first = yield when_any([timer, work])
            return {"doubled": doubled, "work": first is work, "result": first.get_result(), "timer": timer.is_complete}

        self.assertEqual(run("fan"), {"doubled": [2, 4, 6], "work": True, "result": 10, "timer": False})
        self.assertIn("timer 2592000000", world.asked)

    def test_any_of_all_and_what_has_ended_before(self):
        @self.runtime.workflow
        def nested(ctx, _):
            one, two = (ctx.call_activity("double", input=number) for number in (1, 2))
            yield one
            both = when_all([one, two])
            first = yield when_any([ctx.create_timer(timedelta(seconds=1)), both])
            return [first is both, (yield both), (yield when_all([]))]

        self.assertEqual(run("nested"), [True, [2, 4], []])

    def test_a_failure_is_caught_and_undone(self):
        def refuse(_):
            raise ValueError("too poor")

        world.activities |= {"pay": refuse, "refund": lambda _: payload()}

        @self.runtime.workflow
        def saga(ctx, _):
            try:
                yield ctx.call_activity("pay")
            except TaskFailedError as error:
                yield ctx.call_activity("refund")
                return {"kind": error.details.error_type, "message": error.details.message}

        self.assertEqual(run("saga"), {"kind": "ValueError", "message": "too poor"})
        self.assertEqual(world.asked, ["activity pay", "activity refund"])

    def test_the_first_that_fails_ends_all(self):
        def refuse(_):
            raise ValueError("no")

        world.activities["refuse"] = refuse

        @self.runtime.workflow
        def fan(ctx, _):
            yield when_all([ctx.call_activity("refuse"), ctx.create_timer(timedelta(days=1))])

        with self.fails_with("ValueError"):
            run("fan")

    def test_a_failed_workflow_keeps_the_kind_of_what_it_raises(self):
        class Refused(Exception):
            kind = "refused"
            non_retryable = True

        def raise_it(error):
            def workflow(ctx):
                raise error

            return workflow

        for name, error, kind, final in (
            ("plain", KeyError("x"), "KeyError", False),
            ("own", Refused("x"), "refused", True),
            ("final", NonRetryableError("x"), "NonRetryableError", True),
        ):
            self.runtime.register_workflow(raise_it(error), name=name)
            with self.fails_with(kind) as raised:
                run(name)
            self.assertIs(raised.failure.non_retryable, final)
        with self.fails_with("NotRegistered"):
            run("unknown")

    def test_events_come_time_out_and_are_canceled(self):
        @self.runtime.workflow
        def waits(ctx, _):
            try:
                return (yield ctx.wait_for_external_event("go", timeout=timedelta(hours=1)))
            except TimeoutError:
                return "late"
            except TaskCanceledError as error:
                return error.details.error_type

        world.events.append(("go", payload({"by": "ada"})))
        self.assertEqual(run("waits"), {"by": "ada"})
        self.assertEqual(run("waits"), "late")
        world.canceled = True
        self.assertEqual(run("waits"), "berth.canceled")

    def test_times_are_in_utc(self):
        @self.runtime.workflow
        def times(ctx, _):
            now = ctx.current_utc_datetime
            yield ctx.create_timer(now + timedelta(seconds=2))
            yield ctx.create_timer(now.replace(tzinfo=timezone.utc) + timedelta(seconds=3))
            yield ctx.create_timer(now - timedelta(seconds=2))
            return str(now)

        self.assertEqual(run("times"), "2023-11-14 22:13:20")
        self.assertEqual(world.asked, ["timer 2000", "timer 3000", "timer 0"])

    def test_policies_children_status_and_a_new_beginning(self):
        policy = RetryPolicy(
            first_retry_interval=timedelta(seconds=1),
            max_number_of_attempts=5,
            backoff_coefficient=2,
            max_retry_interval=timedelta(seconds=30),
            retry_timeout=timedelta(minutes=1),
        )
        world.children["other"] = lambda input: payload([value(input)])

        @self.runtime.workflow(name="other")
        def child(ctx, _): ...

        @self.runtime.workflow
        def parent(ctx, _):
            ctx.set_custom_status("busy")
            result = yield ctx.call_child_workflow(child, input=1, instance_id="c", retry_policy=policy)
            ctx.continue_as_new({"round": 2}, save_events=True)
            return [result, ctx.is_patched("x")]

        world.patches.add("x")
        self.assertEqual(run("parent"), [[1], True])
        retry = world.options.retry
        self.assertEqual((retry.max_attempts, retry.first_interval_ms, retry.backoff), (5, 1000, 2))
        self.assertEqual((retry.max_interval_ms, retry.total_timeout_ms), (30_000, 60_000))
        self.assertEqual((world.status, value(world.continued[0]), world.continued[1].keep_events), ("busy", {"round": 2}, True))
        with self.assertRaises(ValueError):
            RetryPolicy(first_retry_interval=timedelta(0), max_number_of_attempts=0)

    def test_what_is_yielded_must_be_a_task(self):
        @self.runtime.workflow
        def wrong(ctx, _):
            yield 5

        with self.fails_with("TypeError"):
            run("wrong")


class Activities(Case):
    def test_an_activity_knows_itself_and_is_given_its_input(self):
        @self.runtime.activity(name="note")
        def anything(ctx: WorkflowActivityContext, input):
            return [ctx.workflow_id, ctx.task_id, ctx.attempt, ctx.idempotency_key, input]

        self.assertEqual(attempt("note", {"a": 1}), ["instance", 7, 2, "key", {"a": 1}])

    def test_dataclasses_and_models_cross_as_the_official_sdk_sends_them(self):
        @dataclasses.dataclass
        class Order:
            id: str

        class Model:
            def __init__(self, id):
                self.id = id

            @classmethod
            def model_validate(cls, given):
                return cls(given["id"])

            def model_dump(self, mode):
                return {"id": self.id}

        self.runtime.register_activity(lambda ctx, input: Order("7"), name="dataclass")
        self.assertEqual(attempt("dataclass"), {"id": "7", "__durabletask_autoobject__": True})
        self.runtime.register_activity(lambda ctx, order: order.id, name="object")
        self.assertEqual(attempt("object", {"id": "7", "__durabletask_autoobject__": True}), "7")

        def model(ctx, input: Model):
            return Model(input.id + "!")

        self.runtime.register_activity(model)
        self.assertEqual(attempt("model", {"id": "7"}), {"id": "7!"})

    def test_an_activity_may_be_async(self):
        @self.runtime.activity
        async def later(ctx, input):
            import asyncio

            await asyncio.sleep(0)
            return input

        self.assertEqual(attempt("later", 5), 5)

    def test_names(self):
        @self.runtime.activity
        @alternate_name("other")
        def named(ctx):
            return 1

        self.assertEqual(BerthWorkflowRegistry010().activities(), ["other"])
        with self.assertRaisesRegex(ValueError, "already registered as other"):
            self.runtime.register_activity(named)
        world.activities["other"] = lambda _: payload(1)
        self.runtime.register_workflow(lambda ctx: (yield ctx.call_activity(named)), name="w")
        self.assertEqual(run("w"), 1)


class Client(Case):
    def setUp(self):
        super().setUp()
        self.client = DaprWorkflowClient()

    def test_a_workflow_is_started_by_function_or_name(self):
        @self.runtime.workflow(name="order")
        def saga(ctx): ...

        start_at = datetime(2030, 1, 1)
        self.assertEqual(self.client.schedule_new_workflow(saga, input={"a": 1}, instance_id="7", start_at=start_at), "7")
        self.client.schedule_new_workflow("order", reuse="never", conflict="use-existing")
        (name, input, options), (_, _, second) = world.started
        self.assertEqual((name, value(input), options.start_at_ms), ("order", {"a": 1}, 1_893_456_000_000))
        self.assertEqual(second.conflict, client_wit.ConflictPolicy.USE_EXISTING)
        with self.assertRaises(ValueError):
            self.client.schedule_new_workflow("order", conflict="ignore")

    def test_the_state_of_an_instance(self):
        self.assertIsNone(self.client.get_workflow_state("none"))
        instance("7", client_wit.Status.COMPLETED, output=payload({"a": 1}), custom_status="done")
        state = self.client.wait_for_workflow_completion("7", timeout_in_seconds=5)
        self.assertEqual((state.runtime_status, state.serialized_output), (WorkflowStatus.COMPLETED, '{"a": 1}'))
        self.assertEqual((state.custom_status, state.serialized_custom_status), ("done", '"done"'))
        self.assertEqual(json.loads(str(state))["runtime_status"], "COMPLETED")
        instance("8")
        with self.assertRaises(TimeoutError):
            self.client.wait_for_workflow_completion("8", timeout_in_seconds=1)
        self.assertIs(self.client.wait_for_workflow_start("8").runtime_status, WorkflowStatus.RUNNING)

    def test_what_an_instance_is_told(self):
        self.client.raise_workflow_event("7", "go", data={"a": 1}, event_id="once")
        self.client.pause_workflow("7")
        self.client.resume_workflow("7")
        self.client.terminate_workflow("7", output="enough")
        self.client.cancel_workflow("7", reason="asked")
        self.client.purge_workflow("7")
        names = [name for name, *_ in world.asked]
        self.assertEqual(names, ["raise_event", "suspend", "resume", "terminate", "cancel", "purge"])
        self.assertEqual(value(world.asked[0][3]), {"a": 1})


if __name__ == "__main__":
    unittest.main()
