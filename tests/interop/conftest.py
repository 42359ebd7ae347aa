# SPDX-License-Identifier: LGPL-2.1-or-later
"""The network of the scenarios: hosts in namespaces, a WireGuard end on each.

Environment: CULVERT, the program to test; CULVERT_ALLOCATIONS, CULVERT_CLOCK, CULVERT_FAULTS and
CULVERT_FLOOD, allocations.c, clock.c, faults.c and flood.c built; CULVERT_LOGS, a folder that keeps
the logs."""

import os

import pytest

from lab import Lab
from lab.needs import skip_without_root

from ends import PAIRS, V4, V6, check_log, make_ends, stop_all


def pytest_configure(config):
    config.addinivalue_line("markers", "row(number, ...): rows of the checklist, tests/README.md")
    config.addinivalue_line("markers", "slow: takes more than ten seconds")


def pytest_collection_modifyitems(items):
    skip_without_root(items, "CULVERT")


@pytest.fixture
def lab(request):
    """An empty laboratory. At its end each program must have kept its calm."""
    folder = os.environ.get("CULVERT_LOGS")
    name = request.node.name.replace("/", "-")
    with Lab(os.path.join(folder, name) if folder else None) as made:
        yield made
        stop_all()
        for host in made.hosts:
            check_log(host)


@pytest.fixture
def cable(lab):
    """Two hosts, a at 192.0.2.2 and b at 192.0.2.1, joined by a cable."""
    a, b = lab.add_host("a"), lab.add_host("b")
    lab.link(a, b, V4, V6)
    for host in (a, b):
        # Without the first address of a network the others stay.
        host.run("sysctl", "-qw", "net.ipv4.conf.all.promote_secondaries=1")
    return a, b


@pytest.fixture
def ends(cable):
    """culvert on both, up and acquainted; only a knows where the other is."""
    return make_ends(cable, ("culvert", "culvert"))


@pytest.fixture(params=PAIRS, ids="-".join)
def both(request, cable):
    """The same, with every pair of programs."""
    return make_ends(cable, request.param)


@pytest.fixture
def routed(lab):
    """Two hosts with a router, which is the outer network, between them: a at 198.51.100.2, b
    at 203.0.113.2."""
    a, b, net = lab.add_host("a"), lab.add_host("b"), lab.add_host("net")
    lab.link(a, net, "198.51.100.0/24", "2001:db8:a::/64", names=("wan0", "a0"))
    lab.link(b, net, "203.0.113.0/24", "2001:db8:b::/64", names=("wan0", "b0"))
    net.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    for host, v4, v6 in ((a, "198.51.100.1", "2001:db8:a::1"), (b, "203.0.113.1", "2001:db8:b::1")):
        host.run("ip", "route", "replace", "default", "via", v4)
        host.run("ip", "-6", "route", "replace", "default", "via", v6)
    return a, b, net
