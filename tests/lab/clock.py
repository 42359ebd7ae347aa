# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clocks that can be shifted, of programs that clock.c of tests/interop is preloaded into."""

import struct

FILE = "/run/lab/clock"


class Clock:
    """Of the programs on a host that are started with `environment`, or, with a file that all hosts
    see, on any; `library` is clock.c built."""

    def __init__(self, host, library, shared=None):
        self.environment = {"LD_PRELOAD": library, "LAB_CLOCK": shared or FILE}
        self._path = shared or f"/proc/{host.pid}/root{FILE}"
        self._ahead = self._asleep = 0
        with open(self._path, "wb") as file:
            file.write(bytes(16))

    def set(self, seconds):
        """The wall clock is so many seconds ahead of what it was."""
        self._ahead += seconds
        self._write()

    def sleep(self, seconds):
        """The machine has slept for so many seconds."""
        self._asleep += seconds
        self._write()

    def _write(self):
        with open(self._path, "r+b") as file:
            file.write(struct.pack("<qq", self._ahead, self._asleep))
