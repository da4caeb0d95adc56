"""/contract: every check, in the order of the README."""

import json

from checks import invocation, pubsub, secrets, state, telemetry
from checks.run import Run
from http_io import Request, Response

CHECKS = state.CHECKS | pubsub.CHECKS | invocation.CHECKS | secrets.CHECKS | telemetry.CHECKS


def answer(request: Request) -> Response:
    run = Run(request.headers.get("x-run-id", "run"), request.headers.get("x-app-id", "contract"))
    results = [result(name, check, run) for name, check in CHECKS.items()]
    return Response(200, json.dumps(results, separators=(",", ":")).encode())


def result(name, check, run: Run) -> dict:
    try:
        check(run)
    except Exception as error:
        return {"check": name, "ok": False, "detail": f"{type(error).__name__}: {error}"}
    return {"check": name, "ok": True, "detail": ""}
