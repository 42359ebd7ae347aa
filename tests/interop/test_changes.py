# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything is changed that can be while traffic runs in both directions through several queues,
and the session's keys are replaced every few seconds: no stream is lost. Foremost for
ThreadSanitizer, whose report ends a program with a status that no test expects, and is in the
log."""

import itertools
import os
import time

import pytest

from ends import make_ends
from lab import KeyPair, generate_psk
from lab.streams import Stream

SECONDS = 20
STREAMS = 2  # each way
SPEED = 40  # of the clocks: WireGuard's REKEY_AFTER_TIME of 120 seconds takes three


def set_psk(a, b):
    psk = generate_psk()
    for end, other in ((a, b), (b, a)):
        end.add_peer(other, psk=psk)


def strangers_come_and_go(a, b):
    """With a part of the addresses that the other end has, which go back to it."""
    key = KeyPair.generate().public
    for end, other in ((a, b), (b, a)):
        end.wg("peer", key, "allowed-ips", "10.8.0.0/16,fd08::/32", "endpoint", "192.0.2.77:9",
               "persistent-keepalive", 1)
        end.wg("peer", key, "allowed-ips", f"{other.v6}/128")
        end.wg("peer", key, "remove")
        end.add_peer(other)


def peer_is_removed(a, b):
    a.wg("peer", b.public, "remove")
    a.add_peer(b, endpoint=f"192.0.2.1:{b.port}")
    set_psk(a, b)


def port_changes(a, b):
    for end in (a, b):
        end.port = 51900 + (end.port + 1) % 2
        end.wg("listen-port", end.port)
    a.wg("peer", b.public, "endpoint", f"192.0.2.1:{b.port}")


def mark_changes(a, b):
    for mark in ("0xca6c", "off"):
        for end in (a, b):
            end.wg("fwmark", mark)


def goes_down_and_up(a, b):
    for end in (b, a):
        end.down()
        end.up()


def mtu_changes(a, b):
    for mtu in (1280, 1420):
        for end in (a, b):
            end.set_mtu(mtu)


def settings_are_asked_for(a, b):
    for end in (a, b):
        end.output("dump")


CHANGES = [set_psk, strangers_come_and_go, peer_is_removed, port_changes, mark_changes,
           goes_down_and_up, mtu_changes, settings_are_asked_for]


@pytest.mark.slow
def test_changes_under_load(cable):
    a, b = make_ends(cable, ("culvert", "culvert"), environment={
        "CULVERT_QUEUES": "3", "LD_PRELOAD": os.environ["CULVERT_CLOCK"],
        "LAB_CLOCK_SPEED": str(SPEED)})
    assert a.ping(b.v4)
    streams = [Stream(source.host, target.host, target.v4, port, SECONDS)
               for port, (source, target) in enumerate([(a, b), (b, a)] * STREAMS, 6001)]
    handshakes = set()
    end = time.monotonic() + SECONDS
    for count in itertools.count():
        if time.monotonic() > end:
            break
        CHANGES[count % len(CHANGES)](a, b)
        handshakes.add(a.output("latest-handshakes").split()[-1])
    handshakes.discard("0")  # of a peer that has just been added
    moved = sum(stream.end() for stream in streams)
    print(f"{count} changes, {len(handshakes)} handshakes seen, {moved / 1e6:.0f} MB")
    assert count >= 2 * len(CHANGES)
    assert len(handshakes) >= 3
