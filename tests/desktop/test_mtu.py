# SPDX-License-Identifier: LGPL-2.1-or-later
"""A router half way has an MTU of 1280: full-size streams pass, whether it says so or not, and the
device's MTU follows what is known of the path."""

import contextlib
import os
import re
import sys

import pytest

from lab import culvert, wait_for
from lab.transfer import BULK, transfer

STREAM = os.path.join(os.path.dirname(BULK), "stream.py")
NARROW = 1280
OWN = {4: "10.8.0.2", 6: "fd08::2"}  # the desktop's addresses inside
SIZE = 2 << 20

outsides = pytest.mark.parametrize("outside", [4, 6], ids=["over-ipv4", "over-ipv6"])


def mtu(network):
    return int(re.search(r" mtu (\d+) ", network.desktop.output("ip", "link", "show",
                                                                "culvert0"))[1])


def mute(stack, router):
    """Until the stack ends the router does not say what it cannot forward."""
    router.sh("nft add table inet mute\n"
              "nft 'add chain inet mute out { type filter hook output priority 0; }'\n"
              "nft add rule inet mute out icmp type destination-unreachable drop\n"
              "nft add rule inet mute out icmpv6 type packet-too-big drop")
    stack.callback(router.run, "nft", "delete", "table", "inet", "mute")


@contextlib.contextmanager
def narrow_path(network, speaks):
    """Meanwhile the link between router and office carries NARROW bytes, which the office sees.
    `speaks`: the router says so to whoever sends more."""
    router, office = network.router, network.office
    with contextlib.ExitStack() as stack:
        if not speaks:
            mute(stack, router)
        router.run("ip", "link", "set", "office", "mtu", NARROW)
        stack.callback(router.run, "ip", "link", "set", "office", "mtu", 1500)
        office.run("ip", "link", "set", "wan0", "mtu", NARROW)
        stack.callback(office.run, "ip", "link", "set", "wan0", "mtu", 1500)
        stack.callback(network.forget_paths)
        yield


@contextlib.contextmanager
def narrow_both_ways(network, speaks):
    """Meanwhile the router forwards NARROW bytes at most, either way, and neither end has a link
    that is so narrow."""
    router, office = network.router, network.office
    routes = [("192.0.2.0/24", "wan0", 0), ("2001:db8:1::/64", "wan0", 256),
              ("198.51.2.0/24", "office", 0), ("2001:db8:2::/64", "office", 256)]

    def route(*more):
        for destination, device, metric in routes:
            router.run("ip", "route", "replace", destination, "dev", device, "metric", metric,
                       "proto", "kernel", *more)

    def forget():
        network.forget_paths()
        office.sh("ip route flush cache; ip -6 route replace default via 2001:db8:2::1 dev wan0")
    with contextlib.ExitStack() as stack:
        if not speaks:
            mute(stack, router)
        stack.callback(forget)
        stack.callback(route)
        route("mtu", "lock", NARROW)
        yield


@pytest.fixture
def culvert_office(network, stage_folder):
    """The office's gateway is culvert. Yields a function that returns what it has logged."""
    office, before = network.office, network.office.program
    begin = len(office.log("wireguard"))
    office.stop_wireguard()
    office.program = culvert(stage_folder)
    office.start()
    yield lambda: office.log("wireguard")[begin:]
    network.clear()
    office.stop_wireguard()
    office.program = before
    office.start()


def limits(host):
    """The routes that culvert makes where routers say nothing."""
    return host.output("ip", "-6", "route", "show", "proto", "redirect")


def set_up(network, outside, inside="10.8.0.2/24, fd08::2/64", **kwargs):
    network.add(network.conf(network.office, outside, Address=inside, **kwargs))


@outsides
def test_derived_from_the_route(network, outside):
    """The first link is narrow: that is known before anything is sent."""
    set_up(network, outside)
    network.desktop.run("ip", "link", "set", "wan0", "mtu", 1400)
    try:
        network.up()
        assert mtu(network) == 1400 - 80
    finally:
        network.desktop.run("ip", "link", "set", "wan0", "mtu", 1500)


@outsides
@pytest.mark.parametrize("speaks", [True, False], ids=["with-icmp", "without-icmp"])
@pytest.mark.parametrize("inside", [4, 6], ids=["ipv4", "ipv6"])
def test_narrow_from_the_start(network, outside, speaks, inside):
    set_up(network, outside)
    with narrow_path(network, speaks):
        network.up()
        seconds = transfer(network.desktop, network.office, network.office.address(inside), SIZE)
        print("up", seconds)
        if speaks:
            # With IPv6 inside it cannot be less; the rest is cut outside.
            wait_for(lambda: mtu(network) == 1280, "the MTU to follow")
        print("down", transfer(network.office, network.desktop, OWN[inside], SIZE))


@outsides
@pytest.mark.parametrize("speaks", [True, False], ids=["with-icmp", "without-icmp"])
@pytest.mark.parametrize("inside", [4, 6], ids=["ipv4", "ipv6"])
def test_narrow_both_ways(network, culvert_office, outside, speaks, inside):
    """The gateway, too, finds out that what it sends is swallowed; and leaves no route behind."""
    set_up(network, outside)
    with narrow_both_ways(network, speaks):
        network.up()
        print("down", transfer(network.office, network.desktop, OWN[inside], SIZE))
        print("up", transfer(network.desktop, network.office, network.office.address(inside), SIZE))
        if outside == 4 or speaks:
            assert not limits(network.office)
        else:
            assert "swallows large datagrams" in culvert_office()
            limit, = limits(network.office).splitlines()
            assert limit.startswith("2001:db8:1::2 via 2001:db8:2::1 dev wan0 ")
            assert " mtu 1280 " in limit
    network.office.stop_wireguard()
    assert not limits(network.office)
    network.office.start()


def test_peer_that_is_away_is_no_narrow_path(network, culvert_office):
    """Segments are sent in vain to it as well, and it is asked whether it is there."""
    office, desktop = network.office, network.desktop
    set_up(network, 6)
    network.up()
    desktop.spawn(sys.executable, STREAM, "sink", OWN[4], 5000, log="away-sink")
    wait_for(lambda: "listening" in desktop.log("away-sink"), "the receiver to listen")
    stream = office.spawn(sys.executable, STREAM, "send", OWN[4], 5000, 3, log="away-send")

    def sent():
        (_received, number), = office.show("transfer").values()
        return int(number)
    wait_for(lambda: sent() > SIZE, "the stream")
    asked = office.spawn("tcpdump", "-i", "wan0", "-n", "-c", "2", "--immediate-mode",
                         "udp src port 51820 and ip6[48:4] = 0x01000000", log="asked")
    wait_for(lambda: "listening on" in office.log("asked"), "tcpdump to listen")
    with network.router_drops("udp dport 51820", "udp sport 51820"):
        asked.wait(20)
    stream.wait(60)
    assert int(office.log("away-send")) > SIZE
    assert "swallows" not in culvert_office()
    assert not limits(office)


@outsides
@pytest.mark.parametrize("speaks", [True, False], ids=["with-icmp", "without-icmp"])
def test_becomes_narrow(network, outside, speaks):
    """IPv4 alone inside: datagrams can be as small as the path wants them."""
    set_up(network, outside, "10.8.0.2/24", allowed_ips="10.8.0.0/24")
    network.up()
    assert mtu(network) == 1420
    transfer(network.desktop, network.office, "10.8.0.1", SIZE)
    with narrow_path(network, speaks):
        transfer(network.desktop, network.office, "10.8.0.1", SIZE)
        if outside == 6 and not speaks:
            assert mtu(network) == NARROW - 80
            assert "swallows large datagrams" in network.journal()
            assert "mtu 1280" in limits(network.desktop)
            network.down()
            assert not limits(network.desktop)
        else:
            assert network.desktop.succeeds("ping", "-c1", "-w5", "-Mdo", f"-s{mtu(network) - 28}",
                                            "10.8.0.1")


def test_a_chosen_mtu_stays(network):
    set_up(network, 6, MTU=1400)
    with narrow_path(network, True):
        network.up()
        transfer(network.desktop, network.office, "10.8.0.1", SIZE)
        assert mtu(network) == 1400
