"""The guest's side of the SDK: what it exports, and what holds while it is built."""
