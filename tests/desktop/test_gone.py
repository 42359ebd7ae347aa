# SPDX-License-Identifier: LGPL-2.1-or-later
"""A gateway that is gone for good ends a connection that is not to persist, with a reason: in real
time, which takes minutes, hence a file of its own."""

import time

from test_status import get_status
from lab import wait_for

# From the first packet that is in vain; what was promised.
ENDS_WITHIN = 180


def test_one_way(network):
    """We hear the gateway, which asks again and again, and it does not hear us."""
    network.add(network.conf(network.office, endpoint="gateway.example:51820"))
    network.up()
    assert network.office.succeeds("ping", "-c1", "-w5", "10.8.0.2")
    with network.router_drops("udp dport 51820"):
        assert not network.office.succeeds("ping", "-c1", "-w1", "10.8.0.2")
        # 15 seconds until it asks, and two more initiations of it.
        wait_for(lambda: get_status(network)[0]["trying"], "the gateway to be looked for", 40)
    assert network.ping("10.8.0.1")
    wait_for(lambda: get_status(network)[0]["trying"] == "", "a new session")


def test_dead_gateway_ends_the_connection(network):
    network.add(network.conf(network.office, endpoint="gateway.example:51820"))
    network.up()
    assert network.ping("10.8.0.1")
    status, (peer,) = get_status(network)
    assert (status["trying"], status["unanswered-since"]) == ("", 0)
    with network.router_drops("udp dport 51820", "udp sport 51820"):
        start = time.monotonic()
        began = time.time()
        assert not network.ping("10.8.0.1", deadline=1)

        # What is going on is to be seen long before it is called silence.
        wait_for(lambda: get_status(network)[0]["trying"], "the gateway to be looked for", 40)
        status, (peer,) = get_status(network)
        assert status["state"] == peer["state"] == "connected"
        assert status["trying"].endswith(":51820") and peer["trying"]
        assert 14 <= status["unanswered-since"] - began <= 18
        first = status["unanswered-since"]

        wait_for(lambda: get_status(network)[0]["state"] == "silent", "silence", 100)
        status = get_status(network)[0]
        assert abs(status["since"] - first) <= 1
        assert network.desktop.active() == ["office"]

        wait_for(lambda: not network.desktop.active(), "the connection to end", ENDS_WITHIN)
        took = time.monotonic() - start
    print(f"ended after {took:.0f} s")
    assert took < ENDS_WITHIN
    journal = network.journal()
    assert "has not answered for 135 seconds" in journal
    assert "vpn.persistent=yes" in journal
    assert "a firewall drops UDP on the way" in journal
