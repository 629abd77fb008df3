# SPDX-License-Identifier: MIT
"""Two requests that changed the same session: whoever ends last puts its changes on top of what the store holds by then."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .codec import Codec

__all__ = ["merge"]


def merge(codec: Codec, base: Any, mine: Any, held: Any) -> Any:
    """What to store: `held`, with everything that is different in `mine` from `base`, key by key of the outermost dicts.

    A key that only one of the two has changed or deleted has that one's value; of one that both changed, `mine` counts.
    Where one of them is no dict there is nothing to put together, and `mine` is the answer. Changes none of them.
    """
    if not (isinstance(base, dict) and isinstance(mine, dict) and isinstance(held, dict)):
        return mine
    merged = dict(held)
    for key in base.keys() - mine.keys():
        merged.pop(key, None)
    for key, value in mine.items():
        if key not in base or not codec.same(base[key], value):
            merged[key] = value
    return merged
