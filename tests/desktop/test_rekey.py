# SPDX-License-Identifier: LGPL-2.1-or-later
"""The session's keys are replaced every two minutes, in real time, against wireguard-go: a file of
its own because it takes that long."""

import re

# WireGuard's REKEY_AFTER_TIME, seconds; the lifetime of keys is a minute more.
REKEY_AFTER_TIME = 120


def test_traffic_goes_on_while_keys_are_replaced(network):
    conf = network.conf(network.office)
    network.add(conf)
    network.up()
    peer, = network.office.show("latest-handshakes")
    first = network.office.handshake(peer)
    result = network.desktop.output("ping", "-q", "-i", "0.1", "-w", REKEY_AFTER_TIME + 10,
                                    "10.8.0.1", timeout=REKEY_AFTER_TIME + 20)
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received",
                                        result).groups())
    assert received == sent > 10 * REKEY_AFTER_TIME / 2
    assert REKEY_AFTER_TIME <= network.office.handshake(peer) - first <= REKEY_AFTER_TIME + 10
