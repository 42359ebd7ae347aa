# SPDX-License-Identifier: LGPL-2.1-or-later
"""The status at the top of the page, from a service that the test plays."""

import subprocess
import threading

import pytest
from gi.repository import Gio, GLib
from conftest import Driver

from lab import wait_for

SERVICE = "org.freedesktop.NetworkManager.culvert"
PATH = "/org/freedesktop/NetworkManager/culvert/Status"
MARGIN = 18  # pixels above the page's first line, as in culvert-editor.ui
UUID = "b2b4ea46-5c66-4d3c-9d2b-2b4d5d3f7f01"
INTERFACE = """<node><interface name="org.freedesktop.NetworkManager.culvert.Status">
<method name="GetStatus"><arg type="a{sv}" direction="out"/><arg type="aa{sv}" direction="out"/>
</method></interface></node>"""


@pytest.fixture
def bus():
    with subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address"],
                          stdout=subprocess.PIPE, text=True) as daemon:
        yield daemon.stdout.readline().strip()
        daemon.terminate()


class Service:
    """Answers as nm-culvert-service does, in a thread of its own."""

    def __init__(self, address):
        self.received = 0
        self.loop = GLib.MainLoop(GLib.MainContext())
        ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(address, ready), daemon=True)
        self.thread.start()
        ready.wait(10)

    def run(self, address, ready):
        self.loop.get_context().push_thread_default()
        flags = Gio.DBusConnectionFlags
        bus = Gio.DBusConnection.new_for_address_sync(
            address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None)
        bus.register_object(PATH, Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0],
                            self.answer, None, None)
        bus.call_sync("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "RequestName",
                      GLib.Variant("(su)", (SERVICE + ".Connection_3", 0)), None, 0, -1, None)
        ready.set()
        self.loop.run()
        bus.close_sync()

    def answer(self, _bus, _sender, _path, _interface, _method, _parameters, invocation):
        self.received += 1_000_000
        status = {"uuid": GLib.Variant("s", UUID), "state": GLib.Variant("s", "connected"),
                  "since": GLib.Variant("t", 1700000000),
                  "endpoint": GLib.Variant("s", "198.51.100.7:51820"),
                  "rx-bytes": GLib.Variant("t", self.received),
                  "tx-bytes": GLib.Variant("t", 2000)}
        peer = {"endpoint": GLib.Variant("s", "198.51.100.7:51820"),
                "endpoint-name": GLib.Variant("s", "vpn.example:51820"),
                "last-handshake-age": GLib.Variant("t", 61)}
        invocation.return_value(GLib.Variant("(a{sv}aa{sv})", (status, [peer])))

    def end(self):
        self.loop.quit()
        self.thread.join()


def test_status(toolkit, display, bus):
    service = Service(bus)
    host = Driver(toolkit, display, DBUS_SYSTEM_BUS_ADDRESS=bus)
    host.load(data={"public-key": "kCz6uhX3TUT0jxpTy7Z5gcDrQtG/GGuk9HJpHcfv2Ho="}, uuid=UUID)
    wait_for(lambda: "Last handshake" in host.labels(), "the status")
    labels = host.labels()
    assert "vpn.example:51820 (198.51.100.7:51820)" in labels
    assert "1 minute ago" in labels
    assert any(label.startswith("Connected since ") for label in labels)
    wait_for(lambda: any("now 1.0 MB/s" in label or "now 9" in label for label in host.labels()),
             "the rate")
    assert host.changes() == 0
    service.end()
    wait_for(lambda: "Last handshake" not in host.labels(), "the status to go")
    host.end()


def test_no_status(host):
    """Without a system bus, or a connection that is up, there is nothing of it."""
    host.load(data={}, uuid=UUID)
    host.settle(milliseconds=50)
    assert "Last handshake" not in host.labels()
    assert host.top(text="Other End") <= MARGIN
