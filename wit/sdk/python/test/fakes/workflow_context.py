"""Operations end when they are waited for, in the order in which they were begun; timers end last."""

from componentize_py_types import Err
from wit_world.imports import berth_workflow_context_0_1_0 as wit
from wit_world.imports.berth_workflow_types_0_1_0 import Failure, Payload

from .world import world


class Operation:
    def __init__(self, rank, answer):
        self.rank = rank
        self.answer = answer

    def wait(self):
        return self.answer()


def failing(body, input):
    try:
        return body(input)
    except Err:
        raise
    except Exception as error:
        raise Err(wit.Error_Failed(Failure(type(error).__name__, str(error), False))) from None


def called(functions, kind, name, input, options):
    world.asked.append(f"{kind} {name}")
    world.options = options
    return Operation(0, lambda: failing(functions[name], input))


def schedule_timer(duration_ms):
    world.asked.append(f"timer {duration_ms}")
    return Operation(2, lambda: Payload(b"", None))


def schedule_event(name, options):
    world.asked.append(f"event {name}")

    def answer():
        for index, (known, payload) in enumerate(world.events):
            if known == name:
                del world.events[index]
                return payload
        if world.canceled:
            raise Err(wit.Error_Canceled("canceled"))
        raise Err(wit.Error_Timeout(f"no {name} within {options.timeout_ms} ms"))

    return Operation(0 if any(known == name for known, _ in world.events) else 3, answer)


def wait_any(operations):
    return min(range(len(operations)), key=lambda index: operations[index].rank)


def set_custom_status(status):
    world.status = status


def continue_as_new(input, options):
    world.continued = (input, options)


wit.schedule_activity = lambda *call: called(world.activities, "activity", *call)
wit.schedule_child = lambda *call: called(world.children, "child", *call)
wit.schedule_timer, wit.schedule_event, wit.wait_any = schedule_timer, schedule_event, wait_any
wit.set_custom_status, wit.continue_as_new = set_custom_status, continue_as_new
wit.instance_id = lambda: "instance"
wit.now_ms = lambda: world.now_ms
wit.is_replaying = lambda: False
wit.patched = lambda name: name in world.patches
wit.uuid = lambda: "uuid"
