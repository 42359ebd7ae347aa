# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab keeps its own promises: nothing of it is seen outside, and nothing of it stays."""

import os
import signal

import pytest

from lab import CommandError, KeyPair, Lab, wait_for
from lab.machine import Machine

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PROGRAM = """
import sys
from lab import Lab
with Lab() as lab:
    desktop, gateway = lab.add_desktop("desktop", None), lab.add_gateway("gateway")
    lab.link(desktop, gateway, "192.0.2.0/24")
    gateway.start()
    desktop.start()
    print("up", file=sys.stderr, flush=True)
    gateway.run("sleep", "1000", timeout=1000)
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def machine():
    machine = Machine("/usr/bin/python3", "-c", PROGRAM, env=os.environ | {"PYTHONPATH": TESTS})
    yield machine
    machine.close()


@pytest.mark.parametrize("end", ["int", "kill"])
def test_nothing_outside_and_nothing_left(machine, end):
    before = machine.state()
    machine.until_up()
    assert machine.state() == before
    assert int(machine.ask("processes")) > 5
    machine.ask(end)
    machine.ask("wait")
    wait_for(lambda: machine.ask("processes") == "0", "every process of the lab to end")
    assert machine.state() == before


def test_a_cable_joins_two_hosts():
    with Lab() as lab:
        a, b = lab.add_host("a"), lab.add_host("b")
        lab.link(a, b, "192.0.2.0/24", "2001:db8::/64")
        assert a.succeeds("ping", "-c1", "-W2", "192.0.2.1")
        assert a.succeeds("ping", "-c1", "-W2", "2001:db8::1")


def test_two_gateways_shake_hands():
    """Debian's WireGuard at both ends: what the lab's own peer does is known to work."""
    with Lab() as lab:
        a = lab.add_gateway("a", tunnel=("10.8.0.1/24",))
        b = lab.add_gateway("b", tunnel=("10.8.0.2/24",))
        lab.link(a, b, "192.0.2.0/24")
        for gateway, other in ((a, b), (b, a)):
            gateway.start()
            gateway.add_peer(other.keys.public, "10.8.0.0/24")
        a.run("wg", "set", "wg0", "peer", b.keys.public, "endpoint", "192.0.2.1:51820")
        assert a.handshake(b.keys.public) == 0
        assert a.succeeds("ping", "-c1", "-W5", "10.8.0.2")
        assert a.handshake(b.keys.public) > 0


def test_networkmanager_runs_the_desktop():
    with Lab() as lab:
        desktop, router = lab.add_desktop("desktop", None), lab.add_host("router")
        lab.link(desktop, router, "192.0.2.0/24", "2001:db8::/64")
        desktop.start()
        assert desktop.get("uplink-wan0", "IP4.ADDRESS") == "192.0.2.2/24"
        assert desktop.succeeds("ping", "-c1", "-W2", "2001:db8::1")
        desktop.nmcli("connection", "modify", "uplink-wan0", "ipv4.dns", "192.0.2.1")
        desktop.nmcli("connection", "up", "uplink-wan0")
        wait_for(lambda: "nameserver 192.0.2.1" in desktop.read("/etc/resolv.conf"), "the server")


def test_what_a_desktop_writes_stays_inside():
    with Lab() as lab:
        desktop = lab.add_desktop("desktop", None)
        desktop.write("/etc/culvert-lab", "here")
        assert desktop.read("/etc/culvert-lab") == "here"
        assert not os.path.exists("/etc/culvert-lab")


def test_a_failing_command_says_which_and_why():
    with Lab() as lab:
        host = lab.add_host("alone")
        with pytest.raises(CommandError, match="alone: sh -c .*exit status 3\nreason"):
            host.run("sh", "-c", "echo reason; exit 3")
        with pytest.raises(CommandError, match="more than 0.3 s"):
            host.run("sleep", "100", timeout=0.3)
        wait_for(lambda: not host.pids("sleep"), "sleep to end")


def test_a_daemon_can_be_stopped():
    with Lab() as lab:
        host = lab.add_host("alone")
        daemon = host.spawn("sleep", "1000")
        wait_for(lambda: host.pids("sleep"), "sleep to start")
        host.stop(daemon)
        wait_for(lambda: not host.pids("sleep"), "sleep to end")
        assert daemon.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM)


def test_a_daemon_that_has_ended_can_be_stopped():
    with Lab() as lab:
        host = lab.add_host("alone")
        for command in ("true", "false"):
            daemon = host.spawn(command)
            host.stop(daemon)
            assert daemon.returncode is not None


def test_keys_are_those_of_wg():
    pair = KeyPair.generate()
    assert pair.private != pair.public and len(pair.public) == 44


