from componentize_py_types import Err
from wit_world.imports import berth_workflow_client_0_1_0 as wit

from .world import world


def instance(instance_id, status=wit.Status.RUNNING, **known):
    """An instance that the client finds."""
    fields = dict.fromkeys(("custom_status", "waiting_on", "waiting_since_ms", "problem", "output", "failure"))
    found = fields | {"workflow": "order", "created_at_ms": 0, "updated_at_ms": 1000, "metadata": []} | known
    world.instances[instance_id] = wit.Instance(instance_id=instance_id, app_id="a", status=status, **found)


def start(workflow, input, options):
    instance_id = options.instance_id or "new"
    if instance_id in world.instances and options.conflict is not wit.ConflictPolicy.USE_EXISTING:
        raise Err(wit.Error_Exists(f"{instance_id} is taken"))
    world.started.append((workflow, input, options))
    return instance_id


def wait(target, timeout_ms):
    found = world.instances.get(target.instance_id)
    if not found:
        raise Err(wit.Error_NotFound(f"no {target.instance_id}"))
    if found.status is wit.Status.RUNNING:
        raise Err(wit.Error_Timeout("it runs"))
    return found


def note(name):
    def call(target, *arguments):
        world.asked.append((name, target.instance_id, *arguments))
        return True

    return call


wit.start, wit.wait = start, wait
wit.get = lambda target: world.instances.get(target.instance_id)
for _name in ("raise_event", "cancel", "suspend", "resume", "terminate", "purge"):
    setattr(wit, _name, note(_name))
