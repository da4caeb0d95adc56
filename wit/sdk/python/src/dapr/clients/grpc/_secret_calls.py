"""Secrets."""

from wit_world.imports import berth_secrets_store_0_1_0 as wit

from ..exceptions import calling
from ._data import to_list
from ._response import GetBulkSecretResponse, GetSecretResponse


class SecretCalls:
    """The calls of `DaprClient` about secrets."""

    def get_secret(self, store_name, key, secret_metadata=None, metadata=None) -> GetSecretResponse:
        """The fields of a secret."""
        with calling("DaprClient.get_secret"):
            found = wit.get(store_name, key, wit.GetOptions(to_list(secret_metadata)))
        return GetSecretResponse(dict(found.values))

    def get_bulk_secret(self, store_name, secret_metadata=None, metadata=None) -> GetBulkSecretResponse:
        """All secrets that this app may read, by name."""
        with calling("DaprClient.get_bulk_secret"):
            found = wit.get_bulk(store_name, wit.GetOptions(to_list(secret_metadata)))
        return GetBulkSecretResponse({secret.name: dict(secret.values) for secret in found})
