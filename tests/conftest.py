# SPDX-License-Identifier: LGPL-2.1-or-later
"""For every pytest of the project: `--tap` prints the Test Anything Protocol on standard output,
one line a test case, so that `meson test` knows and counts them."""

import sys

import pytest


def pytest_addoption(parser):
    parser.addoption("--tap", action="store_true", help="print the Test Anything Protocol")


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    if not config.getoption("--tap"):
        return
    terminal = config.pluginmanager.getplugin("terminalreporter")
    config.pluginmanager.unregister(terminal)
    config.pluginmanager.register(Tap(), "tap")


class Tap:
    def __init__(self):
        self.count = 0

    def _line(self, verdict, name, remark="", details=""):
        self.count += 1
        # The next test may take a while, and may be the one that hangs: flush.
        print(f"{verdict} {self.count} - {name.replace('#', '')}{remark}", flush=True)
        if details:
            # `meson test` shows this stream of a failed test, and keeps the other to itself.
            print(f"\n==== {name}\n{details}", file=sys.stderr, flush=True)

    def pytest_collectreport(self, report):
        if report.failed:
            self._line("not ok", f"collecting {report.nodeid}", details=report.longreprtext)

    def pytest_runtest_logreport(self, report):
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self._line("ok", report.nodeid, f" # SKIP {reason}")
        elif report.failed:
            captured = "".join(f"\n--- {name}\n{text}" for name, text in report.sections)
            where = "" if report.when == "call" else f" ({report.when})"
            self._line("not ok", report.nodeid + where, details=report.longreprtext + captured)
        elif report.when == "call":
            self._line("ok", report.nodeid)

    def pytest_sessionfinish(self):
        print(f"1..{self.count}", flush=True)
