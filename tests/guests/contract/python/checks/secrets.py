"""berth:secrets."""

from checks.run import Run, expect, refused
from wit_world.imports import berth_secrets_store as api

STORE = "secretstore"
NAME = "contract-secret"
OPTIONS = api.GetOptions(metadata=[])


def holds_the_value(secret: api.Secret) -> bool:
    return secret.name == NAME and dict(secret.values).get(NAME) == "s3cret"


def get(run: Run) -> None:
    secret = api.get(STORE, NAME, OPTIONS)
    expect(holds_the_value(secret), secret)


def get_unknown(run: Run) -> None:
    refused(api.Error_NotFound, api.get, STORE, "no-such-secret", OPTIONS)


def get_unknown_store(run: Run) -> None:
    refused(api.Error_NotFound, api.get, "no-such-store", NAME, OPTIONS)


def get_bulk(run: Run) -> None:
    secrets = api.get_bulk(STORE, OPTIONS)
    # The names alone: the store may hold secrets of others.
    expect(any(map(holds_the_value, secrets)), [secret.name for secret in secrets])


CHECKS = {
    "secrets.get": get,
    "secrets.get-unknown": get_unknown,
    "secrets.get-unknown-store": get_unknown_store,
    "secrets.get-bulk": get_bulk,
}
