"""The client."""

from __future__ import annotations

from ._data import Pairs
from ._invoke_calls import InvokeCalls
from ._pubsub_calls import PubsubCalls
from ._response import InvokeMethodResponse
from ._secret_calls import SecretCalls
from ._state_calls import StateCalls

MetadataTuple = Pairs

__all__ = ["DaprGrpcClient", "InvokeMethodResponse", "MetadataTuple"]

# Of the official SDK. Dapr itself has never finished `query_state`.
NOT_OFFERED = frozenset(
    """converse_alpha1 converse_alpha2 decrypt delete_job delete_job_alpha1 encrypt get_configuration get_job get_job_alpha1
    get_metadata invoke_binding query_state schedule_job schedule_job_alpha1 set_metadata subscribe subscribe_configuration
    subscribe_with_handler try_lock unlock unsubscribe_configuration""".split()
)


class DaprGrpcClient(StateCalls, PubsubCalls, SecretCalls, InvokeCalls):
    """The building blocks of a guest. Address, timeouts, tokens and retries are taken and not used: there is no sidecar to
    reach."""

    def __init__(
        self,
        address=None,
        headers_callback=None,
        interceptors=None,
        http_timeout_seconds=None,
        max_grpc_message_length=None,
        retry_policy=None,
    ):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        pass

    def wait(self, timeout_s: float) -> None:
        pass

    def __getattr__(self, name: str):
        if name in NOT_OFFERED:
            raise NotImplementedError(f"DaprClient.{name} is not offered to guests of berth")
        raise AttributeError(f"DaprClient has no {name}")
