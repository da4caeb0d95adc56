"""Runs a workflow: a generator that yields tasks, or a plain function."""

from inspect import isgenerator

from wit_world.imports import berth_workflow_context_0_1_0 as wit

from .task import Task


def drive(running):
    """Runs what the workflow's function returned to its end, and gives its result."""
    if not isgenerator(running):
        return running
    step = lambda: next(running)  # noqa: E731
    try:
        while True:
            step = _continue(running, step())
    except StopIteration as stop:
        return stop.value


def _continue(running, task):
    """Waits for what was yielded, and gives the step that tells the workflow."""
    try:
        result = wait(task)
    except Exception as error:
        # `error` ends with this block.
        raised = error
        return lambda: running.throw(raised)
    return lambda: running.send(result)


def wait(task):
    """Waits until a task has ended, and gives its result."""
    if not isinstance(task, Task):
        raise TypeError(f"a workflow yields tasks of its context, such as ctx.call_activity(...), and not {task!r}")
    while not task.is_complete:
        operations = task.operations()
        # All of one activity, timer or event, as in most workflows, needs no question which is first.
        first = 0 if len(operations) == 1 else wit.wait_any([one.operation for one in operations])
        operations[first].finish()
    return task.get_result()
