from componentize_py_types import Err
from wit_world.imports import berth_invocation_invoker_0_1_0 as wit

from .world import world


def invoke(app_id, request):
    world.invoked.append((app_id, request))
    answer = world.answers.get(f"{app_id}/{request.method}")
    if answer is None:
        raise Err(wit.Error_NotFound(f"no app {app_id}"))
    status, body = answer
    return wit.Response(status, [("Content-Type", "application/json")], body.encode())


wit.invoke = invoke
