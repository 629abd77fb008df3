#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Says which process on which machine answers, and ends after a few requests, to show that another one takes over."""

import os
import socket
from datetime import datetime

from smisk.core import Application, listening, response


class MyApp(Application):
    # After so many requests the process ends; -1: never.
    die_after_num_requests = 4

    def __init__(self):
        super().__init__()
        self.time_started = datetime.now()

    def service(self):
        self.response.headers = ["Content-Type: text/plain; charset=utf-8"]
        response(
            "This comes from a process of its own.\n\n",
            f"Host:          {socket.gethostname()}\n",
            f"Listening on:  {listening()}\n",
            f"Process id:    {os.getpid()}\n",
            f"Process owner: {os.getenv('USER')}\n",
            f"Time started:  {self.time_started:%Y-%m-%d %H:%M:%S}\n\n",
            f"request.url: {self.request.url!r}\n",
            f"request.env: {self.request.env!r}\n",
        )
        if self.die_after_num_requests > 0:
            self.die_after_num_requests -= 1
            if self.die_after_num_requests == 0:
                self.exit()


if __name__ == "__main__":
    from smisk.util.main import main

    main(MyApp)
