"""App: methods and topics of the program, by decorators."""

from __future__ import annotations

from berth_guest.registry import DEFAULT_ROUTE, Topic, methods, topics


class Rule:
    """When a handler takes a message: CEL over `event`. The lowest priority is tried first."""

    def __init__(self, match: str, priority: int) -> None:
        self.match = match
        self.priority = priority


class App:
    """Takes handlers, for the host to call."""

    def __init__(self, max_grpc_message_length=None, **kwargs):
        pass

    def method(self, name: str):
        """Answers calls of `/name`, whatever their verb. Not in the official SDK: a segment such as `{id}` is any, and is
        found in `request.params`."""

        def decorator(function):
            path = name.strip("/")
            if path in methods:
                raise ValueError(f"{name} is already registered")
            methods[path] = function
            return function

        return decorator

    def subscribe(
        self, pubsub_name, topic, metadata=None, dead_letter_topic=None, rule=None, disable_topic_validation=False
    ):
        """Handles the messages of a topic. A handler that raises has the message delivered again."""

        def decorator(function):
            subscribed = topics.setdefault(
                (pubsub_name, topic), Topic(pubsub_name, topic, dict(metadata or {}), dead_letter_topic)
            )
            route = DEFAULT_ROUTE if rule is None else getattr(function, "__name__", rule.match)
            if route in subscribed.handlers:
                raise ValueError(f"{topic} is already registered with {pubsub_name}")
            subscribed.handlers[route] = function
            if rule is None:
                subscribed.has_default = True
            else:
                subscribed.rules.append((rule.priority, rule.match, route))
                subscribed.rules.sort(key=lambda known: known[0])
            return function

        return decorator

    def binding(self, name: str):
        raise NotImplementedError(f"App.binding({name!r}): berth has no bindings")

    def job_event(self, name: str):
        raise NotImplementedError(f"App.job_event({name!r}): berth has no jobs")

    def register_health_check(self, health_check_callback) -> None:
        """Taken and not used: the host knows whether a guest is healthy."""

    def add_external_service(self, servicer_callback, external_servicer) -> None:
        raise NotImplementedError("App.add_external_service: a guest has no gRPC server")

    def run(self, app_port=None, listen_address=None) -> None:
        """Returns at once: the host does the listening."""

    def stop(self) -> None:
        pass
