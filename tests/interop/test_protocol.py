# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions as `wg show` tells of them: counters, roaming, keys, keepalives."""

import pytest

from ends import PAIRS, End
from lab import KeyPair, generate_psk


def reached(end, other):
    return end.ping(other.v4) and end.ping(other.v6)


# ---- Counters

@pytest.mark.row(31)
@pytest.mark.parametrize("endpoint", ["192.0.2.1:51820", "[2001:db8::1]:51820"],
                         ids=["over-ipv4", "over-ipv6"])
def test_counters(both, endpoint):
    """Ten pings from a: an initiation of 148 bytes and ten data messages of 128; perhaps a
    keepalive of 32 as confirmation. Back: a response of 92, and ten of 128."""
    a, b = both
    a.add_peer(b, endpoint=endpoint)
    assert a.ping(b.v4, count=10)
    assert a.transfer(b)[0] == 1372
    assert a.transfer(b)[1] in (1428, 1460)
    assert b.transfer(a) == a.transfer(b)[::-1]
    assert a.handshake(b) > 0 and b.handshake(a) > 0


# ---- Roaming

@pytest.mark.row(19)
@pytest.mark.parametrize("version", [4, 6], ids=["over-ipv4", "over-ipv6"])
def test_initiator_roams(both, version):
    a, b = both
    assert reached(a, b)
    assert b.endpoint(a) == "192.0.2.2:51820"
    if version == 4:
        a.ip("address", "add", "192.0.2.77/24", "dev", "wan0")
        a.ip("address", "del", "192.0.2.2/24", "dev", "wan0")
        expected = "192.0.2.77:9999"
    else:
        a.add_peer(b, endpoint="[2001:db8::1]:51820")
        expected = "[2001:db8::2]:9999"
    a.wg("listen-port", 9999)
    assert a.ping(b.v6)
    assert b.endpoint(a) == expected
    assert b.ping(a.v4)


@pytest.mark.row(19)
def test_responder_roams(both):
    """The side that never knew of a move is told by the first packet from the new place."""
    a, b = both
    assert reached(a, b)
    b.ip("address", "add", "192.0.2.88/24", "dev", "wan0")
    b.ip("address", "del", "192.0.2.1/24", "dev", "wan0")
    b.wg("listen-port", 7777)
    assert b.ping(a.v4)
    assert a.endpoint(b) == "192.0.2.88:7777"
    assert a.ping(b.v4)


# ---- Crypto-key routing

@pytest.mark.row(19, 20)
def test_more_specific_key_blocks(both):
    """A prefix of b's that belongs to another key as well does not come from b; but b's endpoint
    still follows it, since its datagrams are authentic."""
    a, b = both
    a.add_peer(b, allowed="10.8.0.0/24,fd08::2/128")
    assert b.endpoint(a) == "(none)" and a.ping(b.v4)
    other = KeyPair.generate().public
    a.add_peer(other, allowed=f"{b.v4}/32")
    b.wg("listen-port", 9997)
    assert not b.ping(a.v4, deadline=1)
    assert a.endpoint(b) == "192.0.2.1:9997"
    a.wg("peer", other, "remove")
    assert b.ping(a.v4)


# ---- Keys

@pytest.mark.row(30)
def test_own_key_changes(both):
    a, b = both
    assert a.ping(b.v4)
    old, new = a.public, KeyPair.generate()
    a.set_keys(new)
    b.add_peer(a)
    b.wg("peer", old, "remove")
    assert a.ping(b.v4)
    assert b.handshake(a) > 0


@pytest.mark.row(3)
@pytest.mark.parametrize("psks, works", [((True, True), True), ((True, False), False)],
                         ids=["same", "one-sided"])
@pytest.mark.parametrize("programs", PAIRS, ids="-".join)
def test_preshared_key(cable, programs, psks, works):
    key = generate_psk()
    a, b = (End(host, program, number) for host, program, number in zip(cable, programs, (1, 2)))
    for end in (a, b):
        end.start()
    a.add_peer(b, endpoint="192.0.2.1:51820", psk=key if psks[0] else None)
    b.add_peer(a, psk=key if psks[1] else None)
    assert a.ping(b.v4, deadline=4 if works else 1) == works
