"""Settings. There is no sidecar to reach: they are taken and not used."""

import os
from types import SimpleNamespace

_DEFAULTS = {
    "DAPR_API_TOKEN": None,
    "DAPR_RUNTIME_HOST": "127.0.0.1",
    "DAPR_HTTP_PORT": 3500,
    "DAPR_GRPC_PORT": 50001,
    "DAPR_API_METHOD_INVOCATION_PROTOCOL": "http",
    "DAPR_HTTP_TIMEOUT_SECONDS": 60,
    "HTTP_APP_PORT": 3000,
    "GRPC_APP_PORT": 3010,
}

settings = SimpleNamespace(**{name: os.environ.get(name, value) for name, value in _DEFAULTS.items()})
