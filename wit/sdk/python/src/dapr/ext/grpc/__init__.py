"""App: methods and topics of the program, by decorators."""

from dapr.clients.grpc._request import BindingRequest, InvokeMethodRequest
from dapr.clients.grpc._response import InvokeMethodResponse, TopicEventResponse

from .app import App, Rule

__all__ = ["App", "BindingRequest", "InvokeMethodRequest", "InvokeMethodResponse", "Rule", "TopicEventResponse"]
