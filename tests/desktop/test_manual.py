# SPDX-License-Identifier: LGPL-2.1-or-later
"""What nm-settings-culvert(5) says of NetworkManager, which no other test has asked."""

import os
import re

import pytest

from conftest import INSIDE
from lab import wait_for

MANUAL = os.path.join("usr", "share", "man", "man5", "nm-settings-culvert.5")
STORED = "/etc/NetworkManager/system-connections/office.nmconnection"


@pytest.fixture(name="examples")
def fixture_examples(stage_folder):
    """The blocks of the section EXAMPLES, as a reader sees them."""
    with open(os.path.join(stage_folder, MANUAL), encoding="utf-8") as file:
        section = file.read().split(".SH EXAMPLES")[1]
    return [block.replace(r"\-", "-").replace(r"\e", "\\")
            for block in re.findall(r"\.nf\n(.*?)\.fi", section, re.S)]


def test_examples(network, examples):
    """The commands, typed, make the profile that is shown."""
    add, change, shown = examples
    network.desktop.sh(add.split("nmcli --ask")[0])
    network.desktop.sh(change)
    stored = network.desktop.read(STORED)
    for line in shown.splitlines():
        if not line.startswith("uuid="):
            assert line in stored.splitlines(), stored


def test_no_routes_are_made(network):
    """`Table = off`, and what it becomes: ignore-auto-routes and never-default."""
    network.add(network.conf(network.office, Table="off",
                             allowed_ips="0.0.0.0/0, 172.16.0.0/12, ::/0"))
    network.up()
    assert network.ping("10.8.0.1")
    for address in (INSIDE[4], "172.16.3.4", INSIDE[6]):
        assert " dev wan0 " in network.route(address)


def test_never_default(network):
    network.add(network.conf(network.office, allowed_ips="0.0.0.0/0, ::/0"))
    network.desktop.nmcli("connection", "modify", "office", "ipv4.never-default", "yes",
                          "ipv6.never-default", "yes")
    network.up()
    assert network.ping("10.8.0.1")
    for address in INSIDE.values():
        assert " dev wan0 " in network.route(address)


@pytest.mark.parametrize("persistent", [True, False])
def test_persistent(network, persistent):
    """The connection outlives the network below it, and carries traffic over the next one."""
    network.add(network.conf(network.office, keepalive=1))
    network.desktop.nmcli("connection", "modify", "office", "vpn.persistent",
                          "yes" if persistent else "no")
    network.up()
    assert network.ping("10.8.0.1")
    pids = network.desktop.pids("nm-culvert-service")
    network.desktop.nmcli("connection", "down", "uplink-wan0")
    try:
        if persistent:
            assert network.desktop.active() == ["office"]
        else:
            wait_for(lambda: not network.desktop.active(), "the connection to end", 5)
    finally:
        network.desktop.nmcli("--wait", 20, "connection", "up", "uplink-wan0")
    if persistent:
        assert network.ping("10.8.0.1", deadline=30)
        assert network.desktop.pids("nm-culvert-service") == pids
