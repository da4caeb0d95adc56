from componentize_py_types import Err
from wit_world.imports import berth_secrets_store_0_1_0 as wit

from .world import world


def get(store, name, options):
    if name not in world.secrets.get(store, {}):
        raise Err(wit.Error_NotFound(f"no secret {name}"))
    return wit.Secret(name, list(world.secrets[store][name].items()))


def get_bulk(store, options):
    return [get(store, name, options) for name in world.secrets[store]]


wit.get, wit.get_bulk = get, get_bulk
