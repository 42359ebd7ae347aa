# SPDX-License-Identifier: LGPL-2.1-or-later
"""Profiles with a fault are refused, with words that name the setting and the fault, before
anything is created."""

import pytest

from manager import STOPPED, Refused, connection

KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

# What is changed in a good profile, the setting that is named, and what else the words contain.
FAULTS = {
    "key too short": ({"public_key": KEY[:-2] + "="}, "public-key", ""),
    "key not base64": ({"public_key": "!" + KEY[1:]}, "public-key", ""),
    "no key": ({"public_key": None}, "public-key", ""),
    "address not a number": ({"address": "10.8.0.256/24"}, "address", "10.8.0.256"),
    "prefix too long": ({"address": "10.8.0.2/33"}, "address", "10.8.0.2/33"),
    "no address": ({"address": None}, "address", ""),
    "allowed-ips": ({"allowed_ips": "10.8.0.0/24, fd08::/129"}, "allowed-ips", "fd08::/129"),
    "no port": ({"endpoint": "gateway.example"}, "endpoint", "gateway.example"),
    "port too high": ({"endpoint": "gateway.example:65536"}, "endpoint", "65536"),
    "listen-port": ({"listen_port": "70000"}, "listen-port", "70000"),
    "mtu too low": ({"mtu": "20"}, "mtu", "20"),
    "mtu not a number": ({"mtu": "big"}, "mtu", "big"),
    "keepalive": ({"persistent_keepalive": "65536"}, "persistent-keepalive", "65536"),
    "dns": ({"dns": "10.8.0.1, -bad-"}, "dns", "-bad-"),
    "unknown key": ({"colour": "blue"}, "colour", ""),
    "control character": ({"endpoint": "gateway.example:1\nPostUp"}, "endpoint", ""),
    "tap without a remote": ({"device_type": "tap"}, "vxlan-remote", "missing"),
    "remote not allowed": ({"device_type": "tap", "vxlan_remote": "10.9.0.1"}, "vxlan-remote",
                           "not among"),
    "no bridge": ({"device_type": "tap", "vxlan_remote": "10.8.0.1", "bridge": "br0"}, "bridge",
                  "there is no such interface"),
    "not a bridge": ({"device_type": "tap", "vxlan_remote": "10.8.0.1", "bridge": "wan0"},
                     "bridge", "not a bridge"),
    "bridge and kill switch": ({"device_type": "tap", "vxlan_remote": "10.8.0.1", "bridge": "br0",
                                "kill_switch": "yes"}, "kill-switch", "what a bridge passes on"),
    "ethernet of a tun": ({"vxlan_id": "7"}, "vxlan-id", "for Ethernet"),
    "user": ({"tun_user": "a b"}, "tun-user", "a b"),
    "device type": ({"device_type": "tin"}, "device-type", "tin"),
    "second peer": ({"peer2_public_key": KEY, "peer2_endpoint": "x"}, "peer2-endpoint", "x"),
    "fwmark": ({"fwmark": "lots"}, "fwmark", "lots"),
}


def refuse(world, profile, setting, words):
    service = world.service()
    with pytest.raises(Refused) as refused:
        service.connect(profile)
    message = str(refused.value)
    assert setting in message and words in message
    assert "\n" not in message
    assert refused.value.name == "BadArguments"
    assert world.computer.devices() == []
    service.wait_state(STOPPED)
    assert service.names() == [STOPPED]
    assert setting in service.log()
    assert service.wait_exit() == 0


@pytest.mark.parametrize("changes, setting, words", FAULTS.values(), ids=FAULTS.keys())
def test_fault(world, changes, setting, words):
    refuse(world, world.account(known=False).connection(**changes), setting, words)


def test_bad_private_key(world):
    me = world.account(known=False)
    refuse(world, connection(me.data(), {"private-key": me.keys.private[:-3] + "A=="}),
           "private-key", "")


def test_own_key_as_peer(world):
    """The key of the peer is the public key of our own private key."""
    me = world.account(known=False)
    refuse(world, me.connection(public_key=me.keys.public), "public", "")


def test_port_as_networkmanager_says_it(world):
    """NetworkManager takes these settings, and does nothing about them."""
    me = world.account(known=False)
    data = me.data(device_type="tap", vxlan_remote="10.8.0.1")
    refuse(world, connection(data, me.secrets(), port_of="br0"), "connection.slave-type",
           "bridge=NAME")


def test_interface_exists(world):
    refuse(world, world.account(known=False).connection(ifname="wan0"),
           "connection.interface-name", "wan0")


def test_interface_name(world):
    refuse(world, world.account(known=False).connection(ifname="a/b"),
           "connection.interface-name", "a/b")


def test_port_in_use(world):
    """Two tunnels cannot share a port: the second is told which."""
    me, other = world.account(), world.account()
    first, second = world.service(), world.service()
    first.connect(me.connection(listen_port="40404"))
    with pytest.raises(Refused, match="40404"):
        second.connect(other.connection(listen_port="40404"))


def test_no_vpn_setting(world):
    service = world.service()
    with pytest.raises(Refused):
        service.connect(connection({}))
