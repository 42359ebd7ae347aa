# SPDX-License-Identifier: LGPL-2.1-or-later
"""Session: a person's graphical session on a host of the lab, with nm-applet as the secret agent if
wanted. What is on the screen is read as a screen reader does, and used the same way, with the
keyboard, or with the pointer where a toolkit leaves nothing else.

The session is root's: the lab's NetworkManager lets everybody do everything."""

import json
import os

from .wait import wait_for

ACCESSIBLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "accessible.py")
HOME = "/run/lab/session"
DISPLAY = ":7"  # this host's own: nobody else has a screen there
PASSWORD = "lab"  # of the keyring
PATIENCE = 20  # seconds until something has to be on the screen
ENV = {
    "HOME": HOME, "XDG_RUNTIME_DIR": HOME, "USER": "root",
    "XDG_CURRENT_DESKTOP": "GNOME", "XDG_SESSION_TYPE": "x11",
    "DISPLAY": DISPLAY, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={HOME}/bus",
    "GSETTINGS_BACKEND": "memory", "GDK_BACKEND": "x11", "GSK_RENDERER": "cairo",
    "GTK_A11Y": "atspi", "NO_AT_BRIDGE": "0",
}
STILL = "[Settings]\ngtk-enable-animations=0\n"


class Session:
    """An X server without a monitor, a bus, a window manager, and a keyring that is unlocked."""

    def __init__(self, host):
        self.host = host
        self.env = ENV
        self._programs = []

    def start(self):
        self.host.sh(f"mkdir -p -m 700 {HOME} {HOME}/.config/gtk-3.0 {HOME}/.config/gtk-4.0\n"
                     "mkdir -p -m 1777 /tmp/.X11-unix\n"
                     "mount -t tmpfs -o mode=1777 tmpfs /tmp/.X11-unix")
        for toolkit in (3, 4):
            self.host.write(f"{HOME}/.config/gtk-{toolkit}.0/settings.ini", STILL)
        self.spawn("Xvfb", DISPLAY, "-screen", "0", "1280x1024x24", "-nolisten", "tcp", "-nolock",
                   log="xvfb")
        wait_for(lambda: self.succeeds("xdotool", "getdisplaygeometry"), "the X server", PATIENCE)
        self.spawn("dbus-daemon", "--session", "--nofork", "--nopidfile",
                   f"--address=unix:path={HOME}/bus", log="session-bus")
        wait_for(lambda: self.host.succeeds("test", "-S", f"{HOME}/bus"), "the session bus",
                 PATIENCE)
        self.run("dbus-update-activation-environment", *self.env)
        self.spawn("openbox", log="openbox")
        wait_for(lambda: "_NET_SUPPORTING_WM_CHECK(WINDOW)" in self.run(
            "xprop", "-root", "_NET_SUPPORTING_WM_CHECK").stdout, "the window manager", PATIENCE)
        self.spawn("sh", "-c", f"printf {PASSWORD} | exec gnome-keyring-daemon --foreground"
                   " --unlock --components=secrets", log="keyring")
        wait_for(lambda: self.has_name("org.freedesktop.secrets"), "the keyring", PATIENCE)

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
                 "nm-applet to become a secret agent", PATIENCE)

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

    # ---- Widgets: `program`, `role` and `name` as in accessible.py

    def _ask(self, question, **arguments):
        output = self.run("/usr/bin/python3", ACCESSIBLE, question, stdin=json.dumps(arguments),
                          timeout=90).stdout
        return json.loads(output.splitlines()[-1])

    def widgets(self, program):
        """All that a program shows: dictionaries with role, name, text, description (a tooltip,
        too), place, states."""
        return self._ask("widgets", program=program)

    def texts(self, program):
        return [widget["text"] or widget["name"] for widget in self.widgets(program)]

    def find(self, program, role, name):
        """The first such widget, or None."""
        return self._ask("find", program=program, role=role, name=name)

    def wait_for_widget(self, program, role, name, state=None):
        """The same once it is there, and in the state."""
        return self._ask("wait", program=program, role=role, name=name, state=state)

    def wait_until_gone(self, program, role, name):
        self._ask("wait_until_gone", program=program, role=role, name=name)

    def press(self, program, role, name):
        self._ask("press", program=program, role=role, name=name)

    def put(self, program, role, name, text):
        """Replaces the text of an entry in one go."""
        self._ask("put", program=program, role=role, name=name, text=text)

    def point(self, program, role, name):
        """Clicks in the middle of something in the window that is in front: GTK 4.8 has no action
        for rows and tabs, and says nothing of where on the screen a window is."""
        x, y, width, height = self.wait_for_widget(program, role, name)["place"]
        window = self.run("xdotool", "getactivewindow").stdout.strip()
        self.run("xdotool", "mousemove", "--window", window, x + width // 2, y + height // 2,
                 "click", 1)

    # ---- The screen

    def wait_for_window(self, title):
        """Waits until a window whose title begins like this has the keyboard."""
        wait_for(lambda: self.run("xdotool", "getactivewindow", "getwindowname",
                                  check=False).stdout.startswith(title),
                 f"the window “{title}”", PATIENCE)

    def type(self, text):
        self.run("xdotool", "type", "--delay", 5, "--file", "-", stdin=text)

    def keys(self, *keys):
        self.run("xdotool", "key", "--clearmodifiers", *keys)

    def screenshot(self, name):
        """Into the folder CULVERT_SHOTS, if there is one."""
        folder = os.environ.get("CULVERT_SHOTS")
        if folder:
            os.makedirs(folder, exist_ok=True)
            self._photograph(os.path.join(folder, f"{name}.png"))

    def _photograph(self, path):
        self.run("import", "-window", "root", path)

    def picture(self):
        """What identifies the picture on the screen, once it stands still."""
        path = os.path.join(self.host.out, "picture.png")
        seen = []

        def look():
            self._photograph(path)
            seen.append(self.run("convert", path, "-format", "%#", "info:").stdout)
            return seen[-1] if seen[-2:-1] == seen[-1:] else None
        return wait_for(look, "the screen to stand still", PATIENCE)


def attributes(uuid, key):
    return ("connection-uuid", uuid, "setting-name", "vpn", "setting-key", key)
