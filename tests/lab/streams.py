# SPDX-License-Identifier: LGPL-2.1-or-later
"""TCP streams between two hosts for a time, in which each byte is compared; stream.py is the
program that does it in each."""

import os
import sys

from .wait import wait_for

STREAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stream.py")
SECONDS_AFTER = 120  # until all has arrived: stream.py gives up after less without any progress


class Stream:
    """From one host to another, which has the address, for so many seconds."""

    def __init__(self, source, target, address, port, seconds):
        self.source, self._log = source, f"send-{port}"
        sink = f"sink-{port}"
        target.spawn(sys.executable, STREAM, "sink", address, port, log=sink)
        wait_for(lambda: "listening" in target.log(sink), "the receiver to listen")
        self._process = source.spawn(sys.executable, STREAM, "send", address, port, seconds,
                                     log=self._log)
        self._seconds = seconds

    def has_ended(self):
        return self._process.poll() is not None

    def end(self):
        """How many bytes were sent, once all of them have arrived."""
        status = self._process.wait(self._seconds + SECONDS_AFTER)
        assert status == 0, self.source.log(self._log)
        return int(self.source.log(self._log))
