"""What a workflow waits for."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class FailureDetails:
    """Why an activity, a child or a workflow failed."""

    def __init__(self, message: str, error_type: str, stack_trace: str | None = None):
        self.message = message
        self.error_type = error_type
        self.stack_trace = stack_trace


class TaskFailedError(Exception):
    """An activity or a child that failed, all attempts made; or what was asked to cancel."""

    def __init__(self, message: str, details: FailureDetails):
        super().__init__(message)
        self.details = details


class TaskCanceledError(TaskFailedError):
    """The workflow was asked to cancel while it waited. What it begins after that works: it can undo what it did."""


class NonRetryableError(Exception):
    """Raised by an activity: another attempt cannot help."""


class Task(Generic[T]):
    """Something that ends some time later."""

    def __init__(self) -> None:
        self._result: T | None = None
        self._exception: Exception | None = None
        self._complete = False
        self._parents: list[_Composite] = []

    @property
    def is_complete(self) -> bool:
        return self._complete

    @property
    def is_failed(self) -> bool:
        return self._exception is not None

    def get_result(self) -> T:
        """The result; raises if it failed, or has not ended."""
        if not self._complete:
            raise ValueError("The task has not completed.")
        if self._exception is not None:
            raise self._exception
        return self._result

    def get_exception(self) -> Exception:
        if self._exception is None:
            raise ValueError("The task has not failed.")
        return self._exception

    def operations(self) -> list[OperationTask]:
        """Those of the host that it waits for."""
        return []

    def end(self, result: T | None = None, exception: Exception | None = None) -> None:
        """It ends, and tells those that wait for it."""
        if self._complete:
            return
        self._result, self._exception, self._complete = result, exception, True
        for parent in self._parents:
            parent.ended(self)


class OperationTask(Task[T]):
    """An operation of the host. `finish` waits for it and gives its result, or raises."""

    def __init__(self, operation, finish) -> None:
        super().__init__()
        self.operation = operation
        self._finish = finish

    def operations(self) -> list[OperationTask]:
        return [] if self._complete else [self]

    def finish(self) -> None:
        """Waits for its end."""
        try:
            result = self._finish(self.operation)
        except Exception as error:
            self.end(exception=error)
        else:
            self.end(result)


class _Composite(Task[T]):
    def __init__(self, tasks: list[Task]) -> None:
        super().__init__()
        self._tasks = list(tasks)
        for task in self._tasks:
            if not isinstance(task, Task):
                raise TypeError(f"{task!r} is no task: give what ctx.call_activity and the like return")
            task._parents.append(self)

    def get_tasks(self) -> list[Task]:
        return self._tasks

    def operations(self) -> list[OperationTask]:
        if self._complete:
            return []
        return list(dict.fromkeys(operation for task in self._tasks for operation in task.operations()))

    def ended(self, task: Task) -> None:
        raise NotImplementedError


class WhenAllTask(_Composite[list]):
    """Ends when all have ended, or with the first that fails."""

    def __init__(self, tasks: list[Task]) -> None:
        super().__init__(tasks)
        for task in self._tasks:
            if task.is_failed:
                self.ended(task)
        self._check()

    @property
    def pending_tasks(self) -> int:
        return len(self._tasks) - self.get_completed_tasks()

    def get_completed_tasks(self) -> int:
        return sum(task.is_complete for task in self._tasks)

    def ended(self, task: Task) -> None:
        if task.is_failed:
            self.end(exception=task.get_exception())
        else:
            self._check()

    def _check(self) -> None:
        if not self._complete and all(task.is_complete for task in self._tasks):
            self.end([task.get_result() for task in self._tasks])


class WhenAnyTask(_Composite[Task]):
    """Ends with the first that ends, well or not; the result is that task."""

    def __init__(self, tasks: list[Task]) -> None:
        super().__init__(tasks)
        if not self._tasks:
            self.end([])
        for task in self._tasks:
            if task.is_complete:
                self.ended(task)

    def ended(self, task: Task) -> None:
        self.end(task)


def when_all(tasks: list[Task]) -> WhenAllTask:
    """Ends when all have ended, or with the first that fails."""
    return WhenAllTask(tasks)


def when_any(tasks: list[Task]) -> WhenAnyTask:
    """Ends with the first that ends, well or not."""
    return WhenAnyTask(tasks)
