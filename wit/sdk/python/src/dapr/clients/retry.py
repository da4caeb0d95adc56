"""Retries of the client. Taken and not used: the host's resiliency policies hold for every call."""


class RetryPolicy:
    """Kept for programs that give one."""

    def __init__(
        self,
        max_attempts=0,
        initial_backoff=1,
        max_backoff=20,
        backoff_multiplier=1.5,
        retryable_http_status_codes=(),
        retryable_grpc_status_codes=(),
    ):
        self.max_attempts = max_attempts
        self.initial_backoff = initial_backoff
        self.max_backoff = max_backoff
        self.backoff_multiplier = backoff_multiplier
        self.retryable_http_status_codes = list(retryable_http_status_codes)
        self.retryable_grpc_status_codes = list(retryable_grpc_status_codes)
