"""The event class that handlers of topics are given: a CloudEvent 1.0. A project that lists `cloudevents` gets the real one."""

from __future__ import annotations

_GETTERS = {
    "EventType": "type",
    "Source": "source",
    "EventID": "id",
    "EventTime": "time",
    "Subject": "subject",
    "Schema": "schema",
    "ContentType": "content_type",
    "Data": "data",
    "Extensions": "extensions",
}


class Event:
    """A CloudEvent: properties, and the getters and setters of the official class over them."""

    specversion = "1.0"

    def __init__(self) -> None:
        for name in _GETTERS.values():
            setattr(self, name, None)
        self.extensions = {}

    def CloudEventVersion(self) -> str:  # noqa: N802
        return self.specversion

    def Properties(self, with_nullable: bool = False) -> dict:  # noqa: N802
        """Attributes, extensions and data by their names on the wire."""
        names = {name: getattr(self, name) for name in _GETTERS.values() if name != "extensions"}
        names["datacontenttype"] = names.pop("content_type")
        names["dataschema"] = names.pop("schema")
        names |= {"specversion": self.specversion} | self.extensions
        return {name: value for name, value in names.items() if with_nullable or value is not None}


def _add_accessors(name: str, attribute: str) -> None:
    def get(self):
        return getattr(self, attribute)

    def put(self, value):
        setattr(self, attribute, value)
        return self

    setattr(Event, name, get)
    setattr(Event, f"Set{name}", put)


for _name, _attribute in _GETTERS.items():
    _add_accessors(_name, _attribute)
