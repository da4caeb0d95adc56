"""The version of the official SDK whose surface this is."""

__version__ = "1.19.0"
