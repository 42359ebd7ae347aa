# SPDX-License-Identifier: LGPL-2.1-or-later
"""A router half way has an MTU of 1280: full-size streams pass, whether it says so or not, and the
device's MTU follows what is known of the path."""

import contextlib
import re

import pytest

from lab import wait_for
from lab.transfer import transfer

NARROW = 1280
SIZE = 2 << 20

outsides = pytest.mark.parametrize("outside", [4, 6], ids=["over-ipv4", "over-ipv6"])


def mtu(network):
    return int(re.search(r" mtu (\d+) ", network.desktop.output("ip", "link", "show",
                                                                "culvert0"))[1])


@contextlib.contextmanager
def narrow_path(network, speaks):
    """Meanwhile the link between router and office carries NARROW bytes. `speaks`: the router says
    so to whoever sends more."""
    router, office = network.router, network.office
    with contextlib.ExitStack() as stack:
        if not speaks:
            router.sh("nft add table inet mute\n"
                      "nft 'add chain inet mute out { type filter hook output priority 0; }'\n"
                      "nft add rule inet mute out icmp type destination-unreachable drop\n"
                      "nft add rule inet mute out icmpv6 type packet-too-big drop")
            stack.callback(router.run, "nft", "delete", "table", "inet", "mute")
        router.run("ip", "link", "set", "office", "mtu", NARROW)
        stack.callback(router.run, "ip", "link", "set", "office", "mtu", 1500)
        office.run("ip", "link", "set", "wan0", "mtu", NARROW)
        stack.callback(office.run, "ip", "link", "set", "wan0", "mtu", 1500)
        # What the router has said is remembered for ten minutes, or as long as the route.
        stack.callback(network.desktop.nmcli, "connection", "up", "uplink-wan0")
        stack.callback(network.desktop.nmcli, "connection", "down", "uplink-wan0")
        yield


def limits(network):
    """The routes that the service makes where routers say nothing."""
    return network.desktop.output("ip", "-6", "route", "show", "proto", "redirect")


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
        own = {4: "10.8.0.2", 6: "fd08::2"}[inside]
        if speaks or outside == 4:
            print("down", transfer(network.office, network.desktop, own, SIZE))


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
            assert "mtu 1280" in limits(network)
            network.down()
            assert not limits(network)
        else:
            assert network.desktop.succeeds("ping", "-c1", "-w5", "-Mdo", f"-s{mtu(network) - 28}",
                                            "10.8.0.1")


def test_a_chosen_mtu_stays(network):
    set_up(network, 6, MTU=1400)
    with narrow_path(network, True):
        network.up()
        transfer(network.desktop, network.office, "10.8.0.1", SIZE)
        assert mtu(network) == 1400
