"""JSON merge patch, RFC 7396."""

from typing import Any


def merge(target: Any, patch: Any) -> Any:
    """Changes a value as a patch says: objects are merged, null removes, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, change in patch.items():
        if change is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), change)
    return merged
