# SPDX-License-Identifier: LGPL-2.1-or-later
"""The editors, each in the smallest host, on a display of its own.

Environment: CULVERT_BUILD, a finished build; CULVERT_SHOTS, a folder for screenshots."""

import json
import os
import subprocess
import sys

import pytest

from lab.display import Display

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = {"3": "libnm-vpn-plugin-culvert-editor.so", "4": "libnm-gtk4-vpn-plugin-culvert-editor.so"}


def properties(name):
    return os.path.join(os.environ["CULVERT_BUILD"], "properties", name)


class Driver:
    """Tells a host what to do: driver.set(title="Gateway", text="…")."""

    def __init__(self, toolkit, display, **env):
        self.toolkit = toolkit
        self.display = display
        environment = {"DISPLAY": display, "HOME": "/nonexistent", "LANG": "C.UTF-8",
                       "PATH": os.environ["PATH"], "GSK_RENDERER": "cairo", "GTK_A11Y": "none",
                       "NO_AT_BRIDGE": "1", "GSETTINGS_BACKEND": "memory", "GDK_BACKEND": "x11",
                       "G_DEBUG": "fatal-criticals",
                       "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
                       "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"} | env
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "host.py"), toolkit,
             properties("libnm-vpn-plugin-culvert.so")],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __getattr__(self, name):
        def ask(**arguments):
            self.process.stdin.write(json.dumps([name, arguments]) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            assert line, f"the host ended while asked to {name}: {self.process.wait()}"
            answer = json.loads(line)
            if "error" in answer:
                raise AssertionError(f"{name}: {answer['error']}")
            return answer["answer"]
        return ask

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0


@pytest.fixture(scope="session", name="display")
def fixture_display():
    with Display("800x1100x24") as display:
        yield display.name


@pytest.fixture(scope="session", params=["3", "4"], ids=["gtk3", "gtk4"])
def toolkit(request):
    if not os.path.exists(properties(MODULES[request.param])):
        pytest.skip("this editor is not built")
    return request.param


@pytest.fixture(scope="session")
def host(toolkit, display):
    """One for all tests: each shows an editor of its own."""
    driver = Driver(toolkit, display)
    yield driver
    driver.end()
