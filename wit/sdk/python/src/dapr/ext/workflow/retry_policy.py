"""When a failed activity or child is attempted again."""

from __future__ import annotations

from datetime import timedelta

_ZERO = timedelta(0)


class RetryPolicy:
    """Attempts and pauses. `non_retryable_error_types`: kinds of failure, or classes, that are final."""

    def __init__(
        self,
        *,
        first_retry_interval: timedelta,
        max_number_of_attempts: int,
        backoff_coefficient: float | None = 1.0,
        max_retry_interval: timedelta | None = None,
        retry_timeout: timedelta | None = None,
        non_retryable_error_types: list[str | type] | None = None,
    ):
        if first_retry_interval < _ZERO:
            raise ValueError("first_retry_interval must be >= 0")
        if max_number_of_attempts < 1:
            raise ValueError("max_number_of_attempts must be >= 1")
        if backoff_coefficient is not None and backoff_coefficient < 1:
            raise ValueError("backoff_coefficient must be >= 1")
        if max_retry_interval is not None and max_retry_interval < _ZERO:
            raise ValueError("max_retry_interval must be >= 0")
        if retry_timeout is not None and retry_timeout < _ZERO:
            raise ValueError("retry_timeout must be >= 0")
        self.first_retry_interval = first_retry_interval
        self.max_number_of_attempts = max_number_of_attempts
        self.backoff_coefficient = backoff_coefficient
        self.max_retry_interval = max_retry_interval
        self.retry_timeout = retry_timeout
        self.non_retryable_error_types = [
            kind if isinstance(kind, str) else kind.__name__ for kind in non_retryable_error_types or ()
        ]
