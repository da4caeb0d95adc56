"""What the standard library imports only when it is first needed. A guest has no files: what it has not imported while it is
built it never can."""

import _strptime  # noqa: F401
import encodings.ascii  # noqa: F401
import encodings.idna  # noqa: F401
import encodings.latin_1  # noqa: F401
import encodings.utf_8_sig  # noqa: F401
