"""The payment, or as much of it as an example needs."""

from __future__ import annotations

import grpc
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError

from .failure import Failure

SECRETS = "secretstore"
NAME = "stripe-secret-key"
_MISSING = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT)


def check() -> None:
    """Makes sure that an order could be paid. A real shop would now send the amount and the key to `https://api.stripe.com`,
    which its manifest would have to allow; this one only reads the key."""
    try:
        with DaprClient() as client:
            fields = client.get_secret(SECRETS, NAME).secret
    except DaprGrpcError as error:
        if error.code() in _MISSING:
            raise _missing(error.details()) from None
        raise Failure.unavailable(f"the secret store {SECRETS} cannot be read: {error.details()}") from None
    # A store of environment variables answers an unset one with an empty value.
    if not any(fields.values()):
        raise _missing("it is empty")


def _missing(reason: str) -> Failure:
    return Failure(503, "secret-missing", f"no order can be paid without the secret {NAME} of {SECRETS}: {reason}")
