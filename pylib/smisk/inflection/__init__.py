# SPDX-License-Identifier: MIT
"""Words: singular and plural, class names to table names, numbers to their order.

`inflection` is English. Other languages register themselves in `inflections`, by locale, when they are imported:
`from smisk.inflection.sv import inflection`.
"""

from .en import inflection
from .inflector import Inflector, inflections

__all__ = ["Inflector", "inflection", "inflections"]
