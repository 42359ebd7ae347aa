# SPDX-License-Identifier: LGPL-2.1-or-later
"""In NetworkManager's place: a computer with a system bus of its own, a client that starts the
service as NetworkManager does, calls it and hears its signals."""

import os
import signal
import uuid

from gi.repository import Gio, GLib

from lab.desktop import BUS_CONF, Desktop
from lab.host import Host
from lab.wait import wait_for

SERVICE = "org.freedesktop.NetworkManager.culvert"
PATH = "/org/freedesktop/NetworkManager/VPN/Plugin"
INTERFACE = "org.freedesktop.NetworkManager.VPN.Plugin"
ERROR = "org.freedesktop.NetworkManager.VPN.Error."

# NMVpnServiceState and NMVpnPluginFailure of libnm.
INIT, SHUTDOWN, STARTING, STARTED, STOPPING, STOPPED = range(1, 7)
LOGIN_FAILED, CONNECT_FAILED, BAD_IP_CONFIG = range(3)

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("CULVERT_SERVICE", "nm-culvert-service")


class Computer(Desktop):
    """A desktop whose NetworkManager is the test. Its bus has the policy that is installed."""

    def start(self):
        policy = os.path.join(SOURCE, "data", "nm-culvert-service.conf")
        self.write("/run/lab/bus.conf",
                   BUS_CONF.replace("<includedir>/usr/share/dbus-1/system.d</includedir>",
                                    f"<include>{policy}</include>"))
        self.start_bus()

    def start_bus(self):
        self._bus = self.spawn("dbus-daemon", "--config-file=/run/lab/bus.conf", "--nofork",
                               "--nopidfile", "--nosyslog", log="bus")
        wait_for(lambda: self.succeeds("dbus-send", "--system", "--print-reply",
                                       "--dest=org.freedesktop.DBus", "/",
                                       "org.freedesktop.DBus.GetId"), "the bus")

    def stop_bus(self):
        self.stop(self._bus)

    def connect(self, interface, addresses, routers):
        Host.connect(self, interface, addresses, routers)

    def bus_address(self):
        return f"unix:path=/proc/{self.pid}/root/run/dbus/system_bus_socket"

    def devices(self):
        """The names of all interfaces but the loopback and the cable."""
        return sorted(set(self.interfaces()) - {"lo", "wan0"})


def iterate(condition, what, deadline=10.0):
    """Runs the main loop until condition() is true."""
    context = GLib.MainContext.default()
    tick = GLib.timeout_add(20, lambda: GLib.SOURCE_CONTINUE)
    try:
        return wait_for(condition, what, deadline, lambda: context.iteration(True))
    finally:
        GLib.source_remove(tick)


class Refused(Exception):
    """An error that the service answered a call with."""

    def __init__(self, error):
        super().__init__(error.message.split(": ", 1)[1])
        self.name = Gio.DBusError.get_remote_error(error).removeprefix(ERROR)


class Service:
    """One process of the service, and a connection to the bus to talk to it. `through`: a command
    that becomes the one behind it."""

    count = 0

    def __init__(self, computer, *options, env=None, name=None, through=()):
        Service.count += 1
        self.computer = computer
        self.name = name or f"{SERVICE}.Connection_{Service.count}"
        self.log_name = f"service-{Service.count}"
        self.forgotten = False
        self.signals = []  # (name, parameters)
        self.bus = Gio.DBusConnection.new_for_address_sync(
            computer.bus_address(),
            Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
            | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        self.bus.set_exit_on_close(False)
        before = set(computer.pids("nm-culvert-service"))
        self.process = computer.spawn(
            *through, PROGRAM, *(options if name else ("--bus-name", self.name, *options)),
            log=self.log_name,
            env={"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
                 "G_SLICE": "always-malloc",  # else leaks in GLib's own allocator are not seen
                 "G_DEBUG": "fatal-criticals", **(env or {})})
        owner = iterate(self._owner, f"{self.name} to appear: {self.log()}")
        self.pid = (set(computer.pids("nm-culvert-service")) - before).pop()
        self.bus.signal_subscribe(owner, INTERFACE, None, PATH, None,
                                  Gio.DBusSignalFlags.NONE, self._on_signal)

    def _owner(self):
        assert self.process.poll() is None, self.log()
        try:
            return self.bus.call_sync("org.freedesktop.DBus", "/", "org.freedesktop.DBus",
                                      "GetNameOwner", GLib.Variant("(s)", (self.name,)),
                                      None, Gio.DBusCallFlags.NONE, -1, None).unpack()[0]
        except GLib.Error:
            return None

    def _on_signal(self, _bus, _sender, _path, _interface, name, parameters):
        self.signals.append((name, parameters))

    # ---- Calls

    def _call(self, method, parameters):
        """As NetworkManager does, without waiting for longer than it."""
        answer = []
        self.bus.call(self.name, PATH, INTERFACE, method, parameters, None,
                      Gio.DBusCallFlags.NO_AUTO_START, 10000, None,
                      lambda bus, result: answer.append(result))
        iterate(lambda: answer, f"an answer to {method}", 11)
        try:
            return self.bus.call_finish(answer[0]).unpack()
        except GLib.Error as error:
            raise Refused(error) from None

    def need_secrets(self, connection):
        return self._call("NeedSecrets", GLib.Variant.new_tuple(connection))[0]

    def connect(self, connection):
        self._call("Connect", GLib.Variant.new_tuple(connection))

    def connect_interactive(self, connection):
        self._call("ConnectInteractive",
                   GLib.Variant.new_tuple(connection, GLib.Variant("a{sv}", {})))

    def new_secrets(self, connection):
        self._call("NewSecrets", GLib.Variant.new_tuple(connection))

    def disconnect(self):
        self._call("Disconnect", None)

    # ---- Signals

    def names(self):
        """What was signalled, in order; of StateChanged the new state."""
        return [args.unpack()[0] if name == "StateChanged" else name
                for name, args in self.signals]

    def of(self, name):
        """The dictionaries of all signals of that name."""
        return [args.get_child_value(0) for signal, args in self.signals if signal == name]

    def wait_state(self, state, deadline=15.0):
        iterate(lambda: state in self.names(), f"state {state}; log:\n{self.log()}", deadline)

    def wait_signal(self, name, count=1, deadline=10.0):
        iterate(lambda: len(self.of(name)) >= count, f"{name}; log:\n{self.log()}", deadline)
        return self.of(name)[count - 1]

    def wait_log(self, text, deadline=10.0):
        iterate(lambda: text in self.log(), f"“{text}” in the log:\n{self.log()}", deadline)

    # ---- The end

    def log(self):
        return self.computer.log(self.log_name)

    def wait_exit(self, deadline=10.0):
        """The exit status, once the process has ended by itself."""
        iterate(lambda: self.process.poll() is not None, f"the end; log:\n{self.log()}", deadline)
        return self.process.returncode

    def forget(self):
        """It has ended as a test wanted it to, and not well: nothing of it is left to look at."""
        assert self.process.poll() is not None
        self.forgotten = True

    def close(self):
        """Ends the process if it still runs. However it ended, unless killed, it ended well."""
        if self.process.poll() is None:
            self.computer.stop(self.process)
        if not self.bus.is_closed():
            self.bus.close_sync(None)
        if self.forgotten:
            return
        log = self.log()
        # nsenter ends as its child did; a shell would say 128 and the number of the signal.
        assert self.process.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), log
        assert "Sanitizer" not in log and "runtime error" not in log, log


def types(dictionary):
    """{key: D-Bus type} of an a{sv}."""
    assert dictionary.get_type_string() == "a{sv}"
    found = {}
    for i in range(dictionary.n_children()):
        entry = dictionary.get_child_value(i)
        value = entry.get_child_value(1).get_variant()
        found[entry.get_child_value(0).get_string()] = value.get_type_string()
    return found


def connection(data, secrets=None, name="office", ifname=None, timeout=None, port_of=None,
               persistent=False):
    """A connection as NetworkManager hands it over."""
    about = {"id": GLib.Variant("s", name), "uuid": GLib.Variant("s", str(uuid.uuid4())),
             "type": GLib.Variant("s", "vpn")}
    if ifname:
        about["interface-name"] = GLib.Variant("s", ifname)
    if port_of:
        about["master"] = GLib.Variant("s", port_of)
        about["slave-type"] = GLib.Variant("s", "bridge")
    vpn = {"service-type": GLib.Variant("s", SERVICE), "data": GLib.Variant("a{ss}", data)}
    if secrets:
        vpn["secrets"] = GLib.Variant("a{ss}", secrets)
    if timeout:
        vpn["timeout"] = GLib.Variant("u", timeout)
    if persistent:
        vpn["persistent"] = GLib.Variant("b", True)
    auto = {"method": GLib.Variant("s", "auto")}
    return GLib.Variant("a{sa{sv}}",
                        {"connection": about, "vpn": vpn, "ipv4": auto, "ipv6": auto})
