# SPDX-License-Identifier: MIT
"""asyncio inside smiskd: the worker's loop, its selector, and the ASGI lifespan. The host calls; nobody else does."""
