import json
import unittest

from berth_guest import registry, start
from berth_guest.messages import BerthPubsubSubscriber010, BerthPubsubSubscriptions010
from cloudevents.sdk.event import v1
from dapr.ext.grpc import App, InvokeMethodRequest, InvokeMethodResponse, Rule, TopicEventResponse
from fakes import reset, world
from fakes.http import send
from wit_world.exports.berth_pubsub_subscriber_0_1_0 import Delivery, Outcome
from wit_world.imports.berth_pubsub_types_0_1_0 import Event


class Program:
    """In the place of the program's entry module."""


class Case(unittest.TestCase):
    def setUp(self):
        reset()
        registry.methods.clear()
        registry.topics.clear()
        registry.program.wsgi = registry.program.asgi = None
        self.app = App()

    def serve(self, application):
        program = Program()
        program.app = application
        start.start(program)


class Methods(Case):
    def test_a_method_answers_with_what_it_returns(self):
        @self.app.method("orders/new")
        def new(request: InvokeMethodRequest):
            self.assertEqual((request.http_verb, request.http_querystring), ("POST", (("a", "1"),)))
            self.assertEqual(request.get_metadata(as_dict=True)["x-id"], ["7"])
            return json.dumps({"echo": request.text(), "type": request.content_type})

        answer = send("POST", "/orders/new?a=1", [("Content-Type", "text/plain"), ("X-Id", "7")], b"ab", b"c")
        self.assertEqual((answer.status, answer.headers), (200, {"content-type": "application/json"}))
        self.assertEqual(json.loads(answer.bytes), {"echo": "abc", "type": "text/plain"})

    def test_headers_and_status_of_a_response_are_sent(self):
        @self.app.method("x")
        def x(request):
            response = InvokeMethodResponse("no", "text/plain", status_code=418)
            response.headers = ("key", "value")
            return response

        answer = send("GET", "/x")
        self.assertEqual((answer.status, answer.bytes), (418, b"no"))
        self.assertEqual(answer.headers, {"key": "value", "content-type": "text/plain"})

    def test_what_nothing_answers_is_not_found_and_what_raises_is_an_error(self):
        @self.app.method("x")
        def x(request):
            raise ValueError("secret text")

        self.assertEqual(send("GET", "/y").status, 404)
        answer = send("GET", "/x")
        self.assertEqual(answer.status, 500)
        self.assertNotIn(b"secret", answer.bytes)

    def test_a_segment_in_braces_is_any(self):
        self.app.method("orders/{id}/items/{item}")(lambda request: json.dumps(request.params))
        self.app.method("orders/{id}")(lambda request: "other")
        self.app.method("orders/last")(lambda request: "last")
        self.assertEqual(json.loads(send("GET", "/orders/a%2Fb/items/2").bytes), {"id": "a/b", "item": "2"})
        self.assertEqual(send("GET", "/orders/last").bytes, b"last")
        self.assertEqual(send("GET", "/orders/1").bytes, b"other")
        for path in ("/orders", "/orders/1/items", "/orders/1/items/2/3"):
            self.assertEqual(send("GET", path).status, 404)

    def test_a_name_is_taken_once(self):
        self.app.method("x")(print)
        with self.assertRaisesRegex(ValueError, "already registered"):
            self.app.method("/x")(print)


class Applications(Case):
    def test_wsgi(self):
        def application(environ, start_response):
            seen = [environ[name] for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "HTTP_X_ID", "CONTENT_TYPE")]
            start_response("201 Created", [("Content-Type", "application/json")])
            yield json.dumps([*seen, environ["wsgi.input"].read().decode()]).encode()
            yield b" " * 10_000

        self.serve(application)
        answer = send("PUT", "/a%20b?q=1", [("X-Id", "7"), ("content-type", "text/x")], b"body")
        self.assertEqual((answer.status, answer.headers["content-type"]), (201, "application/json"))
        self.assertEqual(json.loads(answer.bytes), ["PUT", "/a b", "q=1", "7", "text/x", "body"])

    def test_asgi(self):
        async def application(scope, receive, send):
            body = (await receive())["body"]
            await send({"type": "http.response.start", "status": 202, "headers": [(b"x-path", scope["path"].encode())]})
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await send({"type": "http.response.body", "body": b"!"})

        self.serve(application)
        answer = send("POST", "/a", [], b"body")
        self.assertEqual((answer.status, answer.headers, answer.bytes), (202, {"x-path": "/a"}, b"body!"))


def delivery(route="default", topic="orders", data=b'{"a": 1}', content_type="application/json"):
    event = Event("id", "src", "type", "1.0", None, None, content_type, data, [("traceparent", "00-1")])
    return Delivery("pubsub", topic, route, 1, event, [("key", "k")])


def handle(*args, **options):
    return BerthPubsubSubscriber010().handle(delivery(*args, **options))


class Topics(Case):
    def test_subscriptions_are_declared_with_their_rules(self):
        self.app.subscribe("pubsub", "orders", metadata={"a": "1"}, dead_letter_topic="dead")(lambda event: None)
        for name, priority in (("late", 2), ("early", 1)):
            def rule(event): ...

            rule.__name__ = name
            self.app.subscribe("pubsub", "orders", rule=Rule(f'event.type == "{name}"', priority))(rule)
        (declared,) = BerthPubsubSubscriptions010().declare()
        self.assertEqual((declared.dead_letter_topic, declared.metadata, declared.default_route), ("dead", [("a", "1")], "default"))
        self.assertEqual([rule.path for rule in declared.rules], ["early", "late"])

    def test_an_event_is_what_the_official_sdk_hands_out(self):
        seen = []

        @self.app.subscribe("pubsub", "orders")
        def on(event: v1.Event):
            seen.append(event)

        self.assertIs(handle(), Outcome.SUCCESS)
        (event,) = seen
        self.assertEqual((event.EventID(), event.EventType(), event.Source()), ("id", "type", "src"))
        self.assertEqual((event.Data(), event.data, event.Subject()), (b'{"a": 1}', b'{"a": 1}', "orders"))
        self.assertEqual(event.Extensions(), {"traceparent": "00-1", "_metadata_key": "k"})

    def test_the_answer_decides_and_what_raises_comes_again(self):
        for given, outcome in (("retry", Outcome.RETRY), ("drop", Outcome.DROP), ("success", Outcome.SUCCESS)):
            registry.topics.clear()
            self.app.subscribe("pubsub", "orders")(lambda event, given=given: TopicEventResponse(given))
            self.assertIs(handle(), outcome)
        registry.topics.clear()

        @self.app.subscribe("pubsub", "orders")
        def on(event):
            raise ValueError("no")

        self.assertIs(handle(), Outcome.RETRY)

    def test_a_route_goes_to_its_handler_and_others_to_the_default(self):
        seen = []

        @self.app.subscribe("pubsub", "orders", rule=Rule("true", 1))
        def special(event):
            seen.append("special")

        @self.app.subscribe("pubsub", "orders")
        def on(event):
            seen.append("default")

        for route in ("special", "default", "/of/a/document"):
            handle(route)
        self.assertEqual(seen, ["special", "default", "default"])
        self.assertIs(handle(topic="nobodys"), Outcome.SUCCESS, "another topic with the same route")
        self.assertIs(handle("nothing", topic="nobodys"), Outcome.DROP)

    def test_a_program_with_routes_of_its_own_is_sent_the_cloud_event(self):
        bodies = []

        def application(environ, start_response):
            bodies.append((environ["PATH_INFO"], json.loads(environ["wsgi.input"].read())))
            start_response("200 OK", [])
            return [b'{"status": "RETRY"}']

        self.serve(application)
        self.assertIs(handle("on/orders"), Outcome.RETRY)
        path, event = bodies[0]
        self.assertEqual((path, event["data"], event["id"]), ("/on/orders", {"a": 1}, "id"))
        handle("on/orders", data=b"\xff", content_type="application/octet-stream")
        self.assertEqual(bodies[1][1]["data_base64"], "/w==")


class Environment(Case):
    def test_variables_are_there_when_the_host_calls(self):
        import os

        from berth_guest import phase

        world.environment["GREETING"] = "hello"
        phase._serving = False
        phase.enter_service()
        self.assertEqual(os.environ["GREETING"], "hello")


if __name__ == "__main__":
    unittest.main()
