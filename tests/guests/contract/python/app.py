"""The contract guest in Python. tests/guests/contract/README.md says what it does."""

import json

import checks
import messages
from http_io import Request, Response
from wit_world import exports
from wit_world.exports.subscriber import Delivery, Outcome
from wit_world.exports.subscriptions import Subscription
from wit_world.imports.wasi_http_types import IncomingRequest, ResponseOutparam

ECHOED_HEADERS = ("content-type", "x-contract")


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        route(Request.read(request)).send(response_out)


class Subscriber(exports.Subscriber):
    def handle(self, delivery: Delivery) -> Outcome:
        return messages.handle(delivery)


class Subscriptions(exports.Subscriptions):
    def declare(self) -> list[Subscription]:
        return messages.SUBSCRIPTIONS


def route(request: Request) -> Response:
    if request.path == "/contract":
        return checks.answer(request)
    if request.path == "/echo":
        return echo(request)
    if request.path.startswith("/received/"):
        return messages.answer(request.path.removeprefix("/received/"))
    return Response.not_found()


def echo(request: Request) -> Response:
    headers = {name: request.headers[name] for name in ECHOED_HEADERS if name in request.headers}
    seen = {
        "verb": request.verb,
        "path": request.path,
        "query": request.query,
        "body": request.body.decode(),
        "headers": headers,
    }
    return Response(201, json.dumps(seen, separators=(",", ":")).encode())
