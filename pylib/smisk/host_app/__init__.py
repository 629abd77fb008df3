# SPDX-License-Identifier: MIT
"""What the host asks about an application while it loads it: what a callable takes, with which arguments a factory
is called. Modules are imported only where the host cannot tell by itself, since every worker pays for them.
"""

__all__: list[str] = []
