# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a person reads while something is shown to them: steps, commands, their output."""

import os
import sys


class Screen:
    """Writes to standard output; in colour only if that is a terminal."""

    def __init__(self):
        colours = (sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
                   and "NO_COLOR" not in os.environ)
        self._codes = dict(green="32", red="31", bold="1", dim="2") if colours else {}
        self._plain = "UTF-8" not in (sys.stdout.encoding or "").upper()

    def _paint(self, colour, text):
        code = self._codes.get(colour)
        return f"\033[{code}m{text}\033[0m" if code else text

    def title(self, text):
        print(self._paint("bold", text), flush=True)

    def command(self, where, text):
        print(f"\n{self._paint('dim', where + ' #')} {self._paint('bold', text)}", flush=True)

    def output(self, text):
        for line in text.strip("\n").splitlines():
            print(self._paint("dim", "    " + line), flush=True)

    def held(self, text):
        print(f"{self._paint('green', '[ok]' if self._plain else '✓')} {text}", flush=True)

    def broke(self, text, why):
        print(f"{self._paint('red', '[FAILED]' if self._plain else '✗')} {text}", flush=True)
        self.output(why)

    def line(self, text=""):
        print(text, flush=True)
