"""A host made of fakes: the bindings that componentize-py generates, with functions that answer from memory.

The bindings are found on the path; `cargo xtask test` puts them there. Because they are generated from the WIT, a call that does
not fit it fails here, too.
"""

from . import environment, http, invocation, pubsub, secrets, state, workflow_client, workflow_context  # noqa: F401
from .world import reset, world  # noqa: F401
