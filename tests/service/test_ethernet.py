# SPDX-License-Identifier: LGPL-2.1-or-later
"""An Ethernet device as NetworkManager sees it; with NetworkManager: tests/desktop/test_tap.py."""

import contextlib
import os

from lab import wait_for
from manager import STARTED, STOPPED, iterate, types
from status import get_status

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FRAMES = os.path.join(TESTS, "ethernet", "frames.py")

TAP = {"device_type": "tap", "vxlan_remote": "10.8.0.1"}


@contextlib.contextmanager
def bridge(world, name="br0"):
    world.computer.run("ip", "link", "add", name, "type", "bridge")
    try:
        yield
    finally:
        world.computer.run("ip", "link", "del", name)


def link(world, name="culvert0"):
    return world.computer.output("ip", "-d", "link", "show", name)


def setting(world, name, device="culvert0"):
    """Of the kernel's, for IPv6 on that device."""
    return world.computer.output("sysctl", "-n", f"net.ipv6.conf.{device}.{name}")


def test_without_addresses(world):
    service = world.service()
    service.connect(world.account().connection(**TAP))
    service.wait_state(STARTED)
    (config,) = service.of("Config")
    assert types(config) == {"tundev": "s", "gateway": "u", "mtu": "u", "has-ip4": "b",
                             "has-ip6": "b", "can-persist": "b"}
    assert config.unpack()["has-ip4"] is False and config.unpack()["has-ip6"] is False
    assert config.unpack()["mtu"] == 1370
    assert service.of("Ip4Config") == [] and service.of("Ip6Config") == []
    assert "tun type tap pi off vnet_hdr on" in link(world)
    assert (setting(world, "accept_ra"), setting(world, "disable_ipv6")) == ("0", "0")


def test_with_addresses(world):
    service = world.service()
    service.connect(world.account().connection(
        tap_address="192.168.1.9/24; fd01::9/64", allowed_ips="10.8.0.0/24, 0.0.0.0/0", **TAP))
    service.wait_state(STARTED)
    (ip4,), (ip6,) = service.of("Ip4Config"), service.of("Ip6Config")
    for family in (ip4, ip6):
        assert family.unpack()["never-default"] is True and "routes" not in family.unpack()
    assert ip6.unpack()["prefix"] == 64


def test_packets_are_left_alone(world):
    """What keeps an Ethernet device quiet is not done to a device for packets."""
    service = world.service()
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    assert (setting(world, "accept_ra"), setting(world, "disable_ipv6")) == ("1", "0")


def test_port_of_a_bridge(world):
    """Also of the next of that name; the bridge is neither made nor removed."""
    service = world.service()
    with bridge(world):
        service.connect(world.account().connection(bridge="br0", **TAP))
        service.wait_state(STARTED)
        assert " master br0 " in link(world)
        assert setting(world, "disable_ipv6") == "1"
    assert " master " not in link(world)
    with bridge(world, "br1"), bridge(world):
        iterate(lambda: " master br0 " in link(world), "the device to join the next bridge")
        service.disconnect()
        service.wait_state(STOPPED)
        wait_for(lambda: world.computer.devices() == ["br0", "br1"], "the device to go")


def test_stranger_with_the_number_of_a_port(world):
    """In another namespace the device is no port any more, and nor is who gets its number here."""
    service = world.service("--debug")
    run = world.computer.run
    with bridge(world):
        service.connect(world.account().connection(bridge="br0", **TAP))
        service.wait_state(STARTED)
        number = link(world).split(":")[0]
        run("ip", "netns", "add", "away")
        try:
            run("ip", "link", "set", "culvert0", "netns", "away")
            run("ip", "link", "add", "stranger0", "index", number, "type", "veth")
            service.wait_log("in another network namespace than the bridge")
            assert " master " not in link(world, "stranger0")
        finally:
            run("ip", "link", "del", "stranger0")
            run("ip", "netns", "del", "away")


def test_bridge_is_not_taken_over(world):
    """The gateway does not speak in the name of a bridge that the device has become a port of."""
    me = world.account()
    service = world.service()
    vxlan = "type vxlan id 1 local 10.8.0.1 dstport 4789 dev wg0".split()
    claim = "ffffffffffff" "0200000000bb" "88b5".ljust(92, "0")
    with bridge(world):
        world.computer.run("ip", "link", "set", "br0", "address", "02:00:00:00:00:bb")
        service.connect(me.connection(**TAP))
        service.wait_state(STARTED)
        world.computer.run("ip", "link", "set", "culvert0", "up")
        world.gateway.run("ip", "link", "add", "vx0", *vxlan, "remote", f"10.8.0.{me.number}")
        # It says nothing by itself.
        world.gateway.run("ip", "link", "set", "vx0", "addrgenmode", "none", "up")

        def send():
            world.gateway.run("/usr/bin/python3", FRAMES, "send", "vx0", claim, 1)

        def drops():
            send()
            return get_status(service)[0]["drops"]["station-moved"]

        def arrived():
            return get_status(service)[0]["rx-packets"]
        before = arrived()
        send()
        wait_for(lambda: arrived() > before, "the frame to arrive")
        assert get_status(service)[0]["drops"]["station-moved"] == 0
        world.computer.run("ip", "link", "set", "culvert0", "master", "br0")
        wait_for(drops, "frames in the bridge's name to be dropped")
        world.gateway.run("ip", "link", "delete", "vx0")


def test_bridge_that_goes_while_connecting(world):
    """It is there at first, and not any more when the gateway has answered."""
    service = world.service()
    me = world.account(known=False)
    with bridge(world):
        service.connect(me.connection(bridge="br0", **TAP))
    world.admit(me)
    service.wait_log("failed: bridge: “br0”: there is no such interface")
    service.wait_state(STOPPED)
    assert world.computer.devices() == []
