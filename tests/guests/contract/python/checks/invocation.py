"""berth:invocation."""

from checks.run import Run, expect, refused
from wit_world.imports import invoker as api

HEADERS = [("content-type", "text/plain"), ("x-contract", "yes")]

ECHO = (
    b'{"verb":"POST","path":"/echo","query":"x=1","body":"ping",'
    b'"headers":{"content-type":"text/plain","x-contract":"yes"}}'
)


def request(verb: str, method: str) -> api.Request:
    return api.Request(method, verb, headers=[], query=None, body=b"", timeout_ms=None, metadata=[])


def invoke(run: Run) -> None:
    ping = api.Request("echo", "POST", HEADERS, query="x=1", body=b"ping", timeout_ms=5000, metadata=[])
    response = api.invoke(run.app_id, ping)
    expect(response.status == 201 and response.body == ECHO, response)


def status(run: Run) -> None:
    response = api.invoke(run.app_id, request("GET", "nowhere"))
    expect(response.status == 404, response)


def unknown_app(run: Run) -> None:
    refused(api.Error_NotFound, api.invoke, "no-such-app", request("GET", "echo"))


def bad_verb(run: Run) -> None:
    refused(api.Error_Invalid, api.invoke, run.app_id, request("NO VERB", "echo"))


CHECKS = {
    "invocation.invoke": invoke,
    "invocation.status": status,
    "invocation.unknown-app": unknown_app,
    "invocation.bad-verb": bad_verb,
}
