"""DaprClient, and what its calls take, give and raise."""

from .exceptions import ERROR_CODE_UNKNOWN, DaprGrpcError, DaprHttpError, DaprInternalError
from .grpc._request import BulkPublishEntry
from .grpc.client import DaprGrpcClient, InvokeMethodResponse, MetadataTuple
from .retry import RetryPolicy

__all__ = [
    "BulkPublishEntry",
    "DaprClient",
    "DaprGrpcError",
    "DaprHttpError",
    "DaprInternalError",
    "ERROR_CODE_UNKNOWN",
    "InvokeMethodResponse",
    "MetadataTuple",
    "RetryPolicy",
]


class DaprClient(DaprGrpcClient):
    """The client."""
