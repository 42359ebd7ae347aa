# SPDX-License-Identifier: LGPL-2.1-or-later
"""Session: somebody at a Desktop, with a display that nobody sees, a window manager, a session bus,
an unlocked keyring and the bus of assistive technologies, over which a test looks and types.

The session is root's: the lab's NetworkManager lets everybody do everything."""

import json
import os

from .desktop import Desktop
from .wait import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = "/run/lab/home"
RUNTIME = "/run/lab/session"
DISPLAY = ":7"
ENV = {
    "HOME": HOME, "XDG_RUNTIME_DIR": RUNTIME, "DISPLAY": DISPLAY, "GDK_BACKEND": "x11",
    "DBUS_SESSION_BUS_ADDRESS": f"unix:path={RUNTIME}/bus",
    "XDG_CURRENT_DESKTOP": "GNOME", "XDG_SESSION_TYPE": "x11", "GSK_RENDERER": "cairo",
    "USER": "root",
}


class Session:
    def __init__(self, desktop: Desktop, geometry="1280x1024x24"):
        self.desktop = desktop
        self.geometry = geometry
        self._processes = []

    def start(self):
        self.desktop.sh(f"mkdir -p {HOME} /tmp/.X11-unix; mkdir -m 700 -p {RUNTIME}\n"
                        "mount -t tmpfs -o mode=1777 tmpfs /tmp/.X11-unix")
        self.spawn("Xvfb", DISPLAY, "-screen", "0", self.geometry, "-nolisten", "tcp", "-nolock",
                   log="xvfb")
        self.spawn("dbus-daemon", "--session", "--nofork", "--nopidfile",
                   f"--address=unix:path={RUNTIME}/bus", log="session-bus")
        wait_for(lambda: self.desktop.succeeds("test", "-S", f"{RUNTIME}/bus"), "the session bus")
        wait_for(lambda: self.desktop.succeeds("test", "-S", "/tmp/.X11-unix/X7"), "the display")
        self.run("dbus-update-activation-environment", *ENV, "LANG")
        for key, value in (("toolkit-accessibility", "true"), ("enable-animations", "false")):
            self.run("gsettings", "set", "org.gnome.desktop.interface", key, value)
        self.spawn("openbox", log="openbox")
        self.run("sh", "-c", "echo lab | gnome-keyring-daemon --unlock --components=secrets")

    def run(self, *argv, **kwargs):
        return self.desktop.run(*argv, env=ENV, **kwargs)

    def spawn(self, *argv, log=None, **env):
        process = self.desktop.spawn(*argv, log=log, env=ENV | env)
        self._processes.append(process)
        return process

    def stop(self, process):
        self._processes.remove(process)
        self.desktop.stop(process)

    def close(self):
        while self._processes:
            self.stop(self._processes[-1])

    def __getattr__(self, name):
        """Asks the reader: session.click(app="Settings", role="push button", name="Add")."""
        if name.startswith("_"):
            raise AttributeError(name)

        def ask(**arguments):
            output = self.run("/usr/bin/python3", os.path.join(HERE, "reader.py"), name,
                              stdin=json.dumps(arguments), timeout=90).stdout
            return json.loads(output.splitlines()[-1])
        return ask

    def screenshot(self, path):
        self.run("import", "-window", "root", path)
