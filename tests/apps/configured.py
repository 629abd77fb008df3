# SPDX-License-Identifier: MIT
"""Shows the configuration that it was started with; /log logs a line, /build says what Smisk was built from."""

import logging

import smisk
from smisk.config import config


def handle(request):
    if request.path == "/log":
        logging.getLogger("shop").info("a line of the shop")
    if request.path == "/build":
        return smisk.__build__
    return dict(config)
