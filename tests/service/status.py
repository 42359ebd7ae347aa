# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service's status on D-Bus, read as root does."""

from gi.repository import Gio, GLib

from manager import SERVICE

STATUS = SERVICE + ".Status"
STATUS_PATH = "/org/freedesktop/NetworkManager/culvert/Status"
PROPERTIES = "org.freedesktop.DBus.Properties"


def call(service, interface, method, parameters=None):
    return service.bus.call_sync(service.name, STATUS_PATH, interface, method, parameters, None,
                                 Gio.DBusCallFlags.NO_AUTO_START, 10000, None).unpack()


def properties(service):
    return call(service, PROPERTIES, "GetAll", GLib.Variant("(s)", (STATUS,)))[0]


def get_status(service):
    return call(service, STATUS, "GetStatus")
