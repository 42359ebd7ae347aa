# SPDX-License-Identifier: LGPL-2.1-or-later
"""Display: an X server that shows nothing to anybody."""

import os
import subprocess


class Display:
    """A context manager. `name` is what DISPLAY has to be. Ends with the program that made it."""

    def __init__(self, geometry):
        read, write = os.pipe()
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "Xvfb", "-displayfd", str(write), "-screen",
             "0", geometry, "-nolisten", "tcp", "-noreset"],
            pass_fds=[write], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as pipe:  # it writes its number once it is ready
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        self.name = f":{number}"

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.process.terminate()
        self.process.wait()
