# SPDX-License-Identifier: LGPL-2.1-or-later
"""Desktop: a host with a system bus and the real NetworkManager, in which an installation of
Culvert (the folder of a staged `meson install`) is at its real paths.

/usr and /etc are overlays: what is written there stays in this host's memory. /sys is read-only,
which tells NetworkManager that it is in a container and need not wait for udev.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys

from .host import Host
from .wait import wait_for

# The stock policy of a system bus, without the services that a bus starts on demand: the lab has
# none of them, and NetworkManager need not wait for them.
BUS_CONF = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <includedir>/usr/share/dbus-1/system.d</includedir>
</busconfig>
"""

NM_CONF = """[main]
plugins=keyfile
auth-polkit=false
no-auto-default=*
dns=default
rc-manager=file
systemd-resolved=false

[device-uplink]
match-device=interface-name:wan*
managed=1

[connectivity]
enabled=false

[logging]
level=DEBUG
domains=VPN,VPN_PLUGIN,DEVICE,CORE,AGENTS,SETTINGS,DNS,IP4,IP6
"""


HERE = os.path.dirname(os.path.abspath(__file__))
JOURNAL = "/run/systemd/journal/socket"
MARK = "lab: mark "


class Desktop(Host):
    def __init__(self, name, out, stage):
        self.stage = stage
        self._uplinks = []
        self._bus = None
        self._manager = None
        self._marks = 0
        self.environment = {}  # of NetworkManager, and of the services that it starts
        super().__init__(name, out)

    def _prepare(self):
        super()._prepare()
        self.sh("mount -o remount,ro /sys || mount -o bind,ro /sys /sys")
        if self.stage:
            self._overlay("/usr", os.path.join(self.stage, "usr"))
        self._overlay("/etc")
        self.sh("mkdir -p /run/dbus /var/lib/NetworkManager /etc/NetworkManager\n"
                "mount -t tmpfs -o mode=755 tmpfs /var/lib/NetworkManager\n"
                "mount -t tmpfs -o mode=755 tmpfs /etc/NetworkManager\n"
                "mkdir -p /etc/NetworkManager/system-connections\n"
                "rm -f /etc/resolv.conf; : > /etc/resolv.conf\n"
                "echo 'hosts: files dns' > /etc/nsswitch.conf")
        self.write("/etc/NetworkManager/NetworkManager.conf", NM_CONF)
        self.write("/run/lab/bus.conf", BUS_CONF)

    def _overlay(self, folder, upper_layer=None):
        """Makes `folder` writable without consequences, with `upper_layer` laid over it."""
        work = "/run/lab/overlay" + folder
        layers = ":".join(quote(layer) for layer in (upper_layer, folder) if layer)
        self.run("mkdir", "-p", work + "/upper", work + "/work")
        self.run("mount", "-t", "overlay", "overlay", "-o",
                 f"lowerdir={layers},upperdir={work}/upper,workdir={work}/work", folder)

    def connect(self, interface, addresses, routers):
        self._uplinks.append((interface, addresses, routers))
        if self._manager:
            self._up(interface, addresses, routers)

    def forget_uplink(self, interface):
        self._uplinks = [uplink for uplink in self._uplinks if uplink[0] != interface]

    # ---- NetworkManager

    def start(self):
        self.start_journal()
        self.start_bus()
        self.start_manager()
        for uplink in self._uplinks:
            self._up(*uplink)

    def start_journal(self):
        process = self.spawn(sys.executable, os.path.join(HERE, "journal.py"), JOURNAL,
                             log="journal")
        wait_for(lambda: self.succeeds("test", "-S", JOURNAL), "the journal")
        return process

    def stop_journal(self, process):
        self.stop(process)
        self.run("rm", JOURNAL)

    def start_bus(self):
        self._bus = self.spawn("dbus-daemon", "--config-file=/run/lab/bus.conf", "--nofork",
                               "--nopidfile", "--nosyslog", log="bus")
        wait_for(lambda: self.succeeds("test", "-S", "/run/dbus/system_bus_socket"), "the bus")

    def stop_bus(self):
        self.stop(self._bus)
        self.run("rm", "-f", "/run/dbus/system_bus_socket")

    def start_manager(self):
        self._manager = self.spawn("NetworkManager", "--no-daemon", log="networkmanager",
                                   env=self.environment)
        wait_for(lambda: self.nmcli("-g", "RUNNING", "general", check=False).stdout == "running\n",
                 "NetworkManager to start", 20)

    def stop_manager(self):
        """As an update does: what it has configured stays."""
        self.stop(self._manager)

    def reboot(self):
        """NetworkManager ends, and starts on a machine that has no memory of it but its profiles."""
        self.stop_manager()
        for interface, _addresses, _routers in self._uplinks:
            self.sh(f"ip address flush dev {interface}; ip link set {interface} down")
        self.sh("rm -rf /run/NetworkManager/*; : > /etc/resolv.conf")
        self.start_manager()

    @contextlib.contextmanager
    def without_manager(self, number=signal.SIGTERM):
        """Ends NetworkManager by a signal, and starts it again afterwards."""
        for pid in self.pids("NetworkManager"):
            os.kill(pid, number)
        self._manager.wait()
        try:
            yield
        finally:
            self.start_manager()

    def _up(self, interface, addresses, routers):
        argv = ["connection", "add", "type", "ethernet", "ifname", interface,
                "con-name", f"uplink-{interface}"]
        for version in (4, 6):
            family = f"ipv{version}."
            mine = [str(a) for a in addresses if a.version == version]
            router = [str(r.ip) for r in routers if r.version == version]
            argv += ([family + "method", "manual", family + "addresses", ",".join(mine)] if mine
                     else [family + "method", "disabled"])
            argv += [family + "gateway", router[0], family + "dns", router[0]] if router else []
        self.nmcli(*argv)
        self.nmcli("--wait", 20, "connection", "up", f"uplink-{interface}")

    def journal(self, identifier="", connection=""):
        """What NetworkManager and the VPN services it started have logged until now, or one of
        them, or what is about the connection with this UUID."""
        self._catch_up()
        text = ""
        for line in self.log("journal").splitlines():
            message, _tab, about = line.rpartition("\tNM_CONNECTION=")
            if (message.startswith(identifier) and connection in ("", about)
                    and not message.startswith(MARK)):
                text += message + "\n"
        return text

    def _catch_up(self):
        """Waits until the journal has written down what it was sent before."""
        self._marks += 1
        mark = f"{MARK}{self._marks}\t"
        identifier, message = mark.strip().split(": ")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as entries:
            try:
                entries.connect(f"/proc/{self.pid}/root{JOURNAL}")
                entries.send(f"SYSLOG_IDENTIFIER={identifier}\nMESSAGE={message}\n".encode())
            except OSError:
                return  # not started, or ended: nothing is under way
        wait_for(lambda: mark in self.log("journal"), "the journal to catch up")

    def nmcli(self, *argv, **kwargs):
        return self.run("nmcli", *argv, **kwargs)

    def get(self, connection, field):
        """One field of a connection as `nmcli -g` prints it; several values are a list."""
        value = self.nmcli("-e", "no", "-g", field, "connection", "show", connection).stdout
        return value.strip()

    def active(self):
        """The names of the active VPN connections."""
        lines = self.nmcli("-g", "NAME,TYPE", "connection", "show", "--active").stdout
        return [line[:-len(":vpn")] for line in lines.splitlines() if line.endswith(":vpn")]

    def interfaces(self):
        return [line.split(":")[1].strip().split("@")[0]
                for line in self.output("ip", "-o", "link").splitlines()]

    def shell(self, argv, env):
        """An interactive program on this host's terminal: ours."""
        return subprocess.run(self.argv(argv), env=env, check=False).returncode


def quote(path):
    """A path in the options of an overlay mount, where colons and commas have a meaning."""
    return "".join("\\" + c if c in "\\:," else c for c in path)
