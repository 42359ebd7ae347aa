# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine starts, and nobody logs in: a wired profile brings its VPN up with it."""

import pytest

from lab import wait_for

UPLINK = "uplink-wan0"


@pytest.fixture(name="secondary")
def fixture_secondary(network):
    """Makes a VPN the secondary of the wired profile; at the end it is none."""
    def make(name):
        identity = network.desktop.get(name, "connection.uuid")
        network.desktop.nmcli("connection", "modify", UPLINK, "connection.secondaries", identity)
        return identity

    yield make
    network.desktop.nmcli("connection", "modify", UPLINK, "connection.secondaries", "")
    # A wired profile whose VPN failed is itself in doubt.
    network.desktop.nmcli("--wait", "20", "connection", "up", UPLINK)


def is_up(network):
    """Whether it is, not whether it is being tried."""
    return network.desktop.get("office", "GENERAL.STATE") == "activated"


def test_vpn_comes_with_the_wire(network, secondary):
    network.add(network.conf(network.office))
    assert network.desktop.get("office", "connection.permissions") == ""
    secondary("office")
    network.desktop.reboot()
    wait_for(lambda: is_up(network), "the VPN to come up", 30)
    assert network.ping("10.8.0.1")


def test_a_key_that_an_agent_keeps_cannot(network, secondary):
    """Nobody is there to give it, however often NetworkManager tries: the log says which key is
    missing."""
    conf = network.conf(network.office)
    network.add(conf)
    network.desktop.nmcli("connection", "modify", "office", "+vpn.data", "private-key-flags=1")
    secondary("office")
    network.desktop.reboot()
    wait_for(lambda: "“office” failed: nobody gave the secret “private-key”" in network.journal(),
             "the VPN to fail", 60)
    assert not is_up(network)
