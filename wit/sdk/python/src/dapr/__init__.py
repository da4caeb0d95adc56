"""The surface of Dapr's Python SDK, over the host's WIT interfaces."""
