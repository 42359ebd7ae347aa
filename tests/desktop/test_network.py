# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks and gateways that come and go under a connection that is to persist: it stays, with its
routes and name servers, so that nothing goes around the tunnel, and carries packets again as soon
as there is a way."""

import contextlib
import os
import re
import time

import pytest

from conftest import INSIDE, NAMES, UPLINKS
from lab import wait_for
from lab.clock import Clock
from lab.leaks import outgoing

DEFAULT = "0.0.0.0/0, ::/0"

# How long an interruption may last once there is a way again.
BACK_WITHIN = 15


@contextlib.contextmanager
def pings(network, address, interval=0.1):
    """A packet every `interval` seconds meanwhile. Yields a function that says how many of them
    were sent and how many answered until now."""
    name = f"pings-{time.monotonic_ns()}"
    process = network.desktop.spawn("ping", "-D", "-O", "-i", interval, address, log=name)

    def count():
        log = network.desktop.log(name)
        numbers = [int(n) for n in re.findall(r"icmp_seq=(\d+)", log)]
        return max(numbers, default=0), log.count("bytes from")
    try:
        yield count
    finally:
        network.desktop.stop(process)


def persistent(network, **kwargs):
    """A connection with a default route into the tunnel, up and to persist."""
    network.add(network.conf(network.office, allowed_ips=DEFAULT, **kwargs))
    network.desktop.nmcli("connection", "modify", "office", "vpn.persistent", "yes")
    network.up()
    assert network.ping(INSIDE[4])


def is_in_place(network):
    """Routes and name servers are the tunnel's."""
    assert network.desktop.active() == ["office"]
    for address in INSIDE.values():
        assert " dev culvert0 " in network.route(address)
    assert "nameserver 10.8.0.1" in network.desktop.read("/etc/resolv.conf")


def comes_back(network, count, within=BACK_WITHIN):
    """Packets are answered again; returns how many were lost until then."""
    _sent, answered = count()
    wait_for(lambda: count()[1] > answered, "packets to be answered", within)
    sent, answered = count()
    return sent - answered


def test_another_uplink(network, second_uplink):
    """From one network into another, without a moment in which there is none."""
    persistent(network, DNS="10.8.0.1")
    with pings(network, INSIDE[4]) as count:
        network.desktop.nmcli("connection", "up", second_uplink)
        network.desktop.nmcli("connection", "down", "uplink-wan0")
        is_in_place(network)
        lost = comes_back(network, count)
        (endpoint,), = network.office.show("endpoints").values()
        assert endpoint.startswith(UPLINKS["wan1"] + ":")
        is_in_place(network)
    print("lost", lost)
    assert lost < 10 * BACK_WITHIN
    assert "The way to the gateway has changed" in network.journal()


def test_no_uplink_for_a_while(network, second_uplink):
    persistent(network, DNS="10.8.0.1")
    with pings(network, INSIDE[4]) as count:
        network.desktop.nmcli("connection", "down", "uplink-wan0")
        is_in_place(network)
        _sent, answered = count()
        wait_for(lambda: count()[0] > answered + 20, "two seconds of packets in vain")
        is_in_place(network)
        network.desktop.nmcli("connection", "up", second_uplink)
        comes_back(network, count)
        is_in_place(network)


def carrier(network):
    """Whether there is a cable, as NetworkManager sees it."""
    return network.desktop.nmcli("-g", "WIRED-PROPERTIES.CARRIER", "device", "show",
                                 "wan0").stdout.strip()


def changes(network):
    """How often services have seen that the way to the gateway is another one."""
    return network.desktop.log("journal").count("The way to the gateway has changed")


def unplug(network):
    """For as long as NetworkManager needs to see it."""
    network.router.run("ip", "link", "set", "wan0", "down")
    wait_for(lambda: carrier(network) == "off", "NetworkManager to miss the cable")
    network.router.run("ip", "link", "set", "wan0", "up")
    wait_for(lambda: carrier(network) == "on", "NetworkManager to see the cable")


def disconnect(network):
    """Somebody does, and connects again; the service sees both."""
    for what in ("disconnect", "up"):
        before = changes(network)
        network.desktop.nmcli("--wait", 20, "device", what, "wan0")
        wait_for(lambda: changes(network) > before, f"the service to see “{what}”")


FLAPS = [unplug, disconnect]
INTERVAL = 0.02  # seconds between two packets
# What may be lost of a round after there is a way again: none or one was; a handshake that is lost
# would be 250.
ALLOWED = 50


@pytest.fixture
def quick_neighbours(network):
    """The kernel asks again for one that does not answer every 50 ms instead of every second, in
    which most packets would be lost."""
    retransmit = "net.ipv4.neigh.wan0.retrans_time_ms"
    network.desktop.run("sysctl", "-qw", f"{retransmit}=50")
    yield
    network.desktop.run("sysctl", "-qw", f"{retransmit}=1000")


def test_uplink_flaps(network, quick_neighbours):
    """A hundred times without a network for a moment: each second time there is no cable, else
    NetworkManager takes the uplink down. No packet is lost but those of that moment."""
    persistent(network, DNS="10.8.0.1")
    connected = network.journal().count("Connecting “office”")
    with pings(network, INSIDE[4], INTERVAL) as count:
        wait_for(lambda: count()[1] > 0, "packets to be answered")
        for number in range(100):
            before = count()
            FLAPS[number % len(FLAPS)](network)
            away = count()[0] - before[0]
            assert network.desktop.active() == ["office"]
            comes_back(network, count)
            after = count()
            lost = after[0] - after[1] - (before[0] - before[1])
            assert lost <= away + ALLOWED, f"round {number}"
        is_in_place(network)
        sent, answered = count()
        print("sent", sent, "lost", sent - answered)
        # IPv6 addresses do not outlive that.
        network.router.run("ip", "address", "add", "2001:db8:1::1/64", "dev", "wan0", "nodad")
    assert network.journal().count("Connecting “office”") == connected


@pytest.fixture
def clock(network):
    """Of NetworkManager, and of the services that it starts."""
    desktop = network.desktop
    library = os.path.join(os.environ["CULVERT_BUILD"], "tests", "interop", "liblab-clock.so")
    made = Clock(desktop, os.path.abspath(library))
    desktop.stop_manager()
    desktop.environment = made.environment
    desktop.start_manager()
    yield made
    network.clear()
    desktop.environment = {}
    desktop.stop_manager()
    desktop.start_manager()


def test_suspend_and_resume(network, clock):
    """The network goes before, as with Wi-Fi, and comes back after; keys are older than their life
    by then."""
    persistent(network, DNS="10.8.0.1")
    peer, = network.office.show("latest-handshakes")
    sessions = network.office.log("wireguard").count("Received handshake initiation")
    with pings(network, INSIDE[4]) as count:
        network.desktop.nmcli("connection", "down", "uplink-wan0")
        clock.sleep(3600)
        is_in_place(network)
        network.desktop.nmcli("connection", "up", "uplink-wan0")
        comes_back(network, count)
        is_in_place(network)
    assert "The machine was asleep: all sessions start anew" in network.journal()
    assert network.office.log("wireguard").count("Received handshake initiation") > sessions
    assert peer in network.office.show("latest-handshakes")


def move(gateway, old, new):
    """It comes back at another address, and knows nobody's."""
    gateway.stop_wireguard()
    gateway.sh(f"ip address add {new}/24 dev wan0; ip address del {old}/24 dev wan0;"
               # Was the new one an alias of the old one, it is gone, too.
               f"ip address add {new}/24 dev wan0 2> /dev/null || true;"
               " ip route replace default via 198.51.2.1")
    gateway.start()


@contextlib.contextmanager
def moving_gateway(network):
    """The office's gateway has the name “gateway.example”. Yields a function that moves it to
    another address, and the name with it."""
    old, new = network.endpoint(network.office), "198.51.2.9"

    def go():
        move(network.office, old, new)
        network.router.name_hosts({new: "gateway.example"})
        return new
    network.router.name_hosts({old: "gateway.example"})
    try:
        yield go
    finally:
        move(network.office, new, old)
        network.router.name_hosts({old: "gateway.example",
                                   network.endpoint(network.office, 6): "gateway.example"})


# 15 seconds until WireGuard asks why there is no answer, three initiations, and as long as the
# system's resolver is given.
FOUND_WITHIN = 45


def test_gateway_behind_another_address(network):
    """The name stays, and is looked up again; nothing else tells the desktop."""
    with moving_gateway(network) as go:
        persistent(network, endpoint="gateway.example:51820")
        with pings(network, INSIDE[4]) as count:
            new = go()
            lost = comes_back(network, count, FOUND_WITHIN)
            print("lost", lost)
            assert network.desktop.active() == ["office"]
            # NetworkManager has been told.
            assert " dev wan0 " in network.route(new)
            assert " dev culvert0 " in network.route(INSIDE[4])
            assert "Asking beside the tunnel" not in network.journal()


@pytest.fixture
def distant_names(network):
    """The uplink's name server is none of its own network: what the desktop sends there goes into a
    full tunnel."""
    def use(ipv4, ipv6):
        network.desktop.nmcli("connection", "modify", "uplink-wan0", "ipv4.dns", ipv4,
                              "ipv6.dns", ipv6)
        network.desktop.nmcli("device", "reapply", "wan0")
    use(NAMES, "")
    yield
    network.clear()
    use("192.0.2.1", "2001:db8:1::1")


@pytest.mark.parametrize("kill_switch", ["no", "yes"])
def test_gateway_behind_another_address_and_names_behind_the_tunnel(network, distant_names,
                                                                    kill_switch):
    """Nobody who could be asked as usual knows where it is: the uplink's server is asked for that,
    and nothing else leaves beside the tunnel."""
    with moving_gateway(network) as go:
        persistent(network, endpoint="gateway.example:51820", DNS="10.8.0.1")
        if kill_switch == "yes":
            network.down()
            network.desktop.nmcli("connection", "modify", "office", "+vpn.data",
                                  "kill-switch=yes")
            network.up()
        with (pings(network, INSIDE[4]) as count,
              outgoing(network.desktop, network.router, "wan0") as record):
            new = go()
            print("lost", comes_back(network, count, FOUND_WITHIN))
            is_in_place(network)
            assert " dev wan0 " in network.route(new)
            clear = [line for _when, line in record.clear()]
        assert clear
        query = re.compile(rf"IP 192\.0\.2\.2\.\d+ > {re.escape(NAMES)}\.53: \d+\+"
                           r" A(AAA)?\? gateway\.example\. ")
        assert [line for line in clear if not query.match(line)] == []
