# SPDX-License-Identifier: LGPL-2.1-or-later
"""Session: a person's graphical session on a host of the lab, with nm-applet as the secret agent if
wanted. What is on the screen is read as a screen reader does, and used with the keyboard alone."""

import json
import os

from .wait import wait_for

ACCESSIBLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "accessible.py")
HOME = "/run/lab/session"
DISPLAY = ":7"  # this host's own: nobody else has a screen there
PASSWORD = "lab"  # of the keyring


class Session:
    """An X server without a monitor, a bus, a window manager, and a keyring that is unlocked."""

    def __init__(self, host, keyring=True):
        self.host = host
        self.env = {
            "HOME": HOME, "XDG_RUNTIME_DIR": HOME, "XDG_CURRENT_DESKTOP": "GNOME",
            "DISPLAY": DISPLAY, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={HOME}/bus",
            "GSETTINGS_BACKEND": "memory", "GDK_BACKEND": "x11", "GSK_RENDERER": "cairo",
            "GTK_A11Y": "atspi", "NO_AT_BRIDGE": "0",
        }
        self._keyring = keyring
        self._programs = []

    def start(self):
        self.host.sh(f"mkdir -p -m 700 {HOME}; mkdir -p -m 1777 /tmp/.X11-unix;"
                     "mount -t tmpfs -o mode=1777 tmpfs /tmp/.X11-unix")
        self.spawn("Xvfb", DISPLAY, "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-nolock",
                   log="xvfb")
        wait_for(lambda: self.succeeds("xdotool", "getdisplaygeometry"), "the X server")
        self.spawn("dbus-daemon", "--session", "--nofork", "--nopidfile",
                   f"--address=unix:path={HOME}/bus", log="session-bus")
        wait_for(lambda: self.host.succeeds("test", "-S", f"{HOME}/bus"), "the session bus")
        self.run("dbus-update-activation-environment", *self.env)
        self.spawn("openbox", log="openbox")
        wait_for(lambda: "_NET_SUPPORTING_WM_CHECK(WINDOW)" in self.run(
            "xprop", "-root", "_NET_SUPPORTING_WM_CHECK").stdout, "the window manager")
        if self._keyring:
            self.spawn("sh", "-c", f"printf {PASSWORD} | exec gnome-keyring-daemon --foreground"
                       " --unlock --components=secrets", log="keyring")
            wait_for(lambda: self.has_name("org.freedesktop.secrets"), "the keyring")

    def stop(self):
        """Ends the session, and what still runs of it."""
        for program in reversed(self._programs):
            if program.poll() is None:
                self.host.stop(program)
        self.host.run("umount", "/tmp/.X11-unix")
        self._programs.clear()

    def start_applet(self):
        """nm-applet, and the tray that it wants; it is NetworkManager's secret agent then."""
        self.spawn("trayer", "--edge", "top", log="trayer")
        self.spawn("nm-applet", log="applet")
        wait_for(lambda: any("nm-applet" in line and "agent registered" in line for line in
                             self.host.journal("NetworkManager").splitlines()),
                 "nm-applet to become a secret agent")

    # ---- Programs

    def run(self, *argv, **kwargs):
        return self.host.run(*argv, env=self.env | kwargs.pop("env", {}), **kwargs)

    def spawn(self, *argv, **kwargs):
        program = self.host.spawn(*argv, env=self.env | kwargs.pop("env", {}), **kwargs)
        self._programs.append(program)
        return program

    def succeeds(self, *argv):
        return self.run(*argv, check=False).returncode == 0

    def has_name(self, name):
        return "true" in self.run("gdbus", "call", "--session", "--dest", "org.freedesktop.DBus",
                                  "--object-path", "/org/freedesktop/DBus", "--method",
                                  "org.freedesktop.DBus.NameHasOwner", name).stdout

    # ---- The keyring

    def keep(self, uuid, key, value):
        """Stores a secret as nm-applet and GNOME Shell do."""
        self.run("secret-tool", "store", "--label=lab", *attributes(uuid, key), stdin=value)

    def kept(self, uuid, key):
        return self.run("secret-tool", "lookup", *attributes(uuid, key), check=False).stdout

    # ---- The screen

    def widgets(self, program):
        """The widgets of a program: dictionaries, see accessible.py."""
        lines = self.run("/usr/bin/python3", ACCESSIBLE, program, check=False).stdout.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def find(self, program, role, name):
        """The first widget of that role whose name has `name` in it, or None."""
        return next((widget for widget in self.widgets(program)
                     if widget["role"] == role and name in widget["name"]), None)

    def wait_for_widget(self, program, role, name, state=None):
        """The same once it is there, and in the state."""
        def look():
            widget = self.find(program, role, name)
            return widget if widget and (not state or state in widget["states"]) else None
        try:
            return wait_for(look, f"the {role} “{name}” of {program} {state or ''}", 20)
        except AssertionError as late:
            raise AssertionError(f"{late}; there is {self.widgets(program)}") from None

    def wait_until_gone(self, program, role, name):
        wait_for(lambda: not self.find(program, role, name), f"the {role} “{name}” to go", 20)

    def wait_for_window(self, title):
        """Waits until a window whose title begins like this has the keyboard."""
        wait_for(lambda: self.run("xdotool", "getactivewindow", "getwindowname",
                                  check=False).stdout.startswith(title),
                 f"the window “{title}”", 20)

    def press(self, program, role, name):
        self.wait_for_widget(program, role, name, "SENSITIVE")
        self.run("/usr/bin/python3", ACCESSIBLE, program, role, name)

    def type(self, text):
        self.run("xdotool", "type", "--delay", 5, "--file", "-", stdin=text)

    def keys(self, *keys):
        self.run("xdotool", "key", "--clearmodifiers", *keys)

    def screenshot(self, name):
        path = os.path.join(self.host.out, f"{name}.png")
        self.run("import", "-window", "root", path)
        return path

    def picture(self):
        """What identifies the picture on the screen, once it stands still."""
        seen = []

        def look():
            path = self.screenshot("picture")
            seen.append(self.run("convert", path, "-format", "%#", "info:").stdout)
            return seen[-1] if seen[-2:-1] == seen[-1:] else None
        return wait_for(look, "the screen to stand still")


def attributes(uuid, key):
    return ("connection-uuid", uuid, "setting-name", "vpn", "setting-key", key)
