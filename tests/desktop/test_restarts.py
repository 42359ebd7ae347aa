# SPDX-License-Identifier: LGPL-2.1-or-later
"""NetworkManager and D-Bus end under a connection: it ends with them, leaves nothing, and comes up
again as if nothing had been. The uplink, which is not ours, loses no packet."""

import re
import time

import pytest

from lab import wait_for

DEFAULT = "0.0.0.0/0, ::/0"
ROUTER = "192.0.2.1"


def is_as(network, before):
    """What a NetworkManager that ends leaves on purpose, and the next one does not know: its route
    to the gateway beside the tunnel."""
    return [line for line in network.state().splitlines()
            if not (line.strip().endswith("metric 50") and " dev wan0 " in line)] == (
                before.splitlines())


@pytest.fixture(autouse=True)
def exceptions_removed(network):
    yield
    network.desktop.sh("ip route flush dev wan0 metric 50; ip -6 route flush dev wan0 metric 50")


def is_gone(network):
    return (not network.desktop.pids("nm-culvert-service")
            and "culvert0" not in network.desktop.interfaces())


@pytest.fixture
def uplink_pings(network):
    """Packets to the router, ten a second; at the end none may be missing."""
    name = f"uplink-pings-{time.monotonic_ns()}"
    process = network.desktop.spawn("ping", "-O", "-i", "0.1", ROUTER, log=name)
    yield
    network.desktop.stop(process)
    log = network.desktop.log(name)
    sent = max(int(n) for n in re.findall(r"icmp_seq=(\d+)", log))
    lost = sent - log.count("bytes from")
    print(f"{lost} of {sent} packets lost on the uplink")
    assert lost <= 1  # the last one may be under way


@pytest.mark.usefixtures("uplink_pings")
def test_manager_restarted(network):
    network.add(network.conf(network.office))
    before = network.state()
    for _round in range(3):
        network.up()
        assert network.ping("10.8.0.1")
        network.desktop.stop_manager()
        wait_for(lambda: is_gone(network), "the service to end with NetworkManager", 5)
        network.desktop.start_manager()
        wait_for(lambda: is_as(network, before), "the desktop to be as before", 15)
    network.up()
    assert network.ping("10.8.0.1")


@pytest.mark.usefixtures("uplink_pings")
def test_manager_restarted_with_a_default_route(network):
    """Nobody is left to say where packets go: not into a device that is gone."""
    network.add(network.conf(network.office, allowed_ips=DEFAULT, DNS="10.8.0.1"))
    network.up()
    network.desktop.stop_manager()
    wait_for(lambda: is_gone(network), "the service to end with NetworkManager", 5)
    network.desktop.start_manager()
    wait_for(lambda: "nameserver 192.0.2.1" in network.desktop.read("/etc/resolv.conf"),
             "the uplink's name server", 15)
    network.up()
    assert network.ping("10.8.0.1")


@pytest.mark.usefixtures("uplink_pings")
def test_bus_restarted(network):
    """The bus takes NetworkManager's connection to the service with it; where NetworkManager ends,
    as it does without a bus, systemd starts it again."""
    network.add(network.conf(network.office))
    before = network.state()
    network.up()
    assert network.ping("10.8.0.1")
    start = time.monotonic()
    network.desktop.stop_bus()
    wait_for(lambda: is_gone(network), "the service to end with the bus", 5)
    print(f"gone after {time.monotonic() - start:.1f} s")
    network.desktop.stop_manager()
    network.desktop.start_bus()
    network.desktop.start_manager()
    wait_for(lambda: is_as(network, before), "the desktop to be as before", 15)
    network.up()
    assert network.ping("10.8.0.1")
