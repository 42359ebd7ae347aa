# SPDX-License-Identifier: LGPL-2.1-or-later
"""A connection that works: what NetworkManager hears, when, in which types."""

import base64
import ipaddress
import re
import sys

import pytest

from lab import generate_psk
from manager import STARTED, STARTING, STOPPED, STOPPING, Refused, connection, types

CONFIG_TYPES = {"tundev": "s", "gateway": "u", "mtu": "u", "has-ip4": "b", "has-ip6": "b",
                "can-persist": "b"}
IP4_TYPES = {"address": "u", "prefix": "u", "dns": "au", "domains": "as", "routes": "aau",
             "never-default": "b"}
IP6_TYPES = {"address": "ay", "prefix": "u", "dns": "aay", "domains": "as",
             "routes": "a(ayuayu)", "never-default": "b"}
# What libnm adds to Ip4Config for a NetworkManager that knows no Config.
LEGACY_TYPES = {"tundev": "s", "gateway": "u", "mtu": "u"}


def ip4(text):
    """An address as NetworkManager has it: its bytes in network order, read as a number."""
    return int.from_bytes(ipaddress.ip_address(text).packed, sys.byteorder)


def ip6(text):
    return list(ipaddress.ip_address(text).packed)


def up(world, service, ifname):
    """What NetworkManager does with the device, as far as needed for traffic."""
    address = ipaddress.ip_address(service.of("Ip4Config")[-1].unpack()["address"].to_bytes(
        4, sys.byteorder))
    world.computer.run("ip", "address", "add", f"{address}/24", "dev", ifname)
    world.computer.run("ip", "link", "set", ifname, "up")


def test_signals(world):
    """Every key and type, in NetworkManager's order; the default name and MTU of the device."""
    me = world.account()
    service = world.service()
    both = {"address": f"10.8.0.{me.number}/24, fd08::{me.number}/64",
            "allowed_ips": "10.8.0.0/24, 10.77.0.0/16, fd08::/64, fd77::/48, ::/0",
            "dns": "10.8.0.1, fd08::1, lan.example"}
    service.connect(me.connection(**both))
    service.wait_state(STARTED)
    assert service.names() == [STARTING, "Config", "Ip4Config", "Ip6Config", STARTED]

    config = service.of("Config")[0]
    assert types(config) == CONFIG_TYPES
    assert config.unpack() == {"tundev": "culvert0", "gateway": ip4("192.0.2.1"), "mtu": 1420,
                               "has-ip4": True, "has-ip6": True, "can-persist": True}
    config4 = service.of("Ip4Config")[0]
    assert types(config4) == IP4_TYPES | LEGACY_TYPES
    values = config4.unpack()
    assert values["address"] == ip4(f"10.8.0.{me.number}")
    assert values["prefix"] == 24
    assert values["dns"] == [ip4("10.8.0.1")]
    assert values["domains"] == ["lan.example"]
    assert values["routes"] == [[ip4("10.77.0.0"), 16, 0, 0]]
    assert values["never-default"] is True
    config6 = service.of("Ip6Config")[0]
    assert types(config6) == IP6_TYPES
    values = config6.unpack()
    assert values["address"] == ip6(f"fd08::{me.number}")
    assert values["prefix"] == 64
    assert values["dns"] == [ip6("fd08::1")]
    assert values["routes"] == [(ip6("fd77::"), 48, ip6("::"), 0)]
    assert values["never-default"] is False


def test_gateway_on_ip6(world):
    me = world.account(endpoint="[2001:db8:2::1]:51820")
    service = world.service()
    service.connect(me.connection())
    service.wait_state(STARTED)
    config = service.of("Config")[0]
    assert types(config) == CONFIG_TYPES | {"gateway": "ay"}
    assert config.unpack()["gateway"] == ip6("2001:db8:2::1")
    assert config.unpack()["has-ip6"] is False
    assert service.of("Ip6Config") == []


def test_not_before_the_handshake(world):
    """Neither device nor configuration nor STARTED while the gateway is silent; then all."""
    me = world.account(known=False)
    service = world.service()
    service.connect(me.connection(ifname="office0", mtu="1380"))
    service.wait_log("Trying ")
    service.wait_state(STARTING)
    assert service.names() == [STARTING]
    assert world.computer.devices() == []
    world.admit(me)
    service.wait_state(STARTED)
    assert service.names() == [STARTING, "Config", "Ip4Config", STARTED]
    assert world.computer.devices() == ["office0"]
    assert service.of("Config")[0].unpack()["tundev"] == "office0"
    assert service.of("Config")[0].unpack()["mtu"] == 1380
    assert "mtu 1380" in world.computer.output("ip", "link", "show", "office0")


def test_second_endpoint_answers(world):
    """Endpoints are tried in turn; the gateway is the one that answered."""
    me = world.account(endpoint="192.0.2.1:9; 192.0.2.1:51820")
    service = world.service()
    service.connect(me.connection())
    service.wait_state(STARTED)
    assert "192.0.2.1:9" in service.log()


def test_traffic_and_end(world):
    me = world.account()
    service = world.service()
    service.connect(me.connection())
    service.wait_state(STARTED)
    up(world, service, "culvert0")
    world.computer.run("ping", "-c", 3, "-i", 0.2, "-W", 2, "10.8.0.1")
    world.computer.run("ping", "-c", 20, "-i", 0.01, "-s", 1000, "-W", 2, "10.8.0.1")
    service.disconnect()
    service.wait_state(STOPPED)
    assert service.names()[-2:] == [STOPPING, STOPPED]
    assert service.wait_exit() == 0
    # 20 packets of 1028 bytes each way, sealed, and a few small ones.
    _seconds, received, sent = re.search(r"Disconnected after (\d+) s, received ([\d.]+)\skB, "
                                         r"sent ([\d.]+)\skB", service.log()).groups()
    assert 21 < float(received) < 24 and 21 < float(sent) < 24
    assert world.computer.devices() == []


def test_preshared_key(world):
    me = world.account(known=False)
    psk = generate_psk()
    world.admit(me, psk)
    service = world.service("--debug")
    service.connect(connection(me.data(), me.secrets(preshared_key=psk)))
    service.wait_state(STARTED)


def test_no_secret_in_the_log(world):
    """Not even with --debug, in no spelling, whether it works or not."""
    psk = generate_psk()
    me = world.account(known=False)
    world.admit(me, psk)
    works = world.service("--debug")
    works.connect(connection(me.data(), me.secrets(preshared_key=psk)))
    works.wait_state(STARTED)
    works.disconnect()
    works.wait_exit()
    refused = world.service("--debug")
    with pytest.raises(Refused) as error:
        refused.connect(connection(me.data(mtu="1"), me.secrets(preshared_key=psk)))
    bad = world.service("--debug")
    with pytest.raises(Refused) as bad_error:
        bad.connect(connection(me.data(), {"private-key": me.keys.private[:-2] + "x="}))
    text = works.log() + refused.log() + bad.log() + str(error.value) + str(bad_error.value)
    assert world.gateway.keys.public[:8] in text  # of the public keys so much is shown
    for secret in (me.keys.private, psk):
        assert secret[:12] not in text
        assert secret[-12:-2] not in text
        assert base64.b64decode(secret).hex()[:16] not in text.lower()


def test_gateway_moves(world):
    """The gateway is heard from another address: Config again, with the new one."""
    me = world.account()
    gateway = world.gateway
    gateway.run("ip", "address", "add", "192.0.2.9/24", "dev", "wan0")
    service = world.service()
    try:
        service.connect(me.connection())
        service.wait_state(STARTED)
        up(world, service, "culvert0")
        world.computer.run("ping", "-c", 1, "-W", 2, "10.8.0.1")
        gateway.run("ip", "address", "del", "192.0.2.1/24", "dev", "wan0")
        # With the first address went the second; and wireguard-go must forget what it used.
        gateway.run("ip", "address", "add", "192.0.2.9/24", "dev", "wan0", check=False)
        gateway.run("wg", "set", gateway.device, "listen-port", gateway.port)
        gateway.run("ping", "-c", 3, "-i", 0.2, "-W", 2, f"10.8.0.{me.number}")
        config = service.wait_signal("Config", 2)
        assert types(config) == CONFIG_TYPES
        assert config.unpack() == service.of("Config")[0].unpack() | {"gateway": ip4("192.0.2.9")}
        assert service.names()[-1] == "Config"
    finally:
        gateway.run("ip", "address", "flush", "dev", "wan0", "scope", "global")
        gateway.run("ip", "address", "add", "192.0.2.1/24", "dev", "wan0")
        gateway.run("ip", "address", "add", "2001:db8:2::1/64", "dev", "wan0", "nodad")


def test_two_at_once(world):
    one, two = world.account(), world.account()
    first, second = world.service(), world.service()
    first.connect(one.connection(name="one"))
    second.connect(two.connection(name="two"))
    first.wait_state(STARTED)
    second.wait_state(STARTED)
    devices = sorted(s.of("Config")[0].unpack()["tundev"] for s in (first, second))
    assert devices == ["culvert0", "culvert1"] == world.computer.devices()
    assert first.of("Ip4Config")[0].unpack()["address"] == ip4(f"10.8.0.{one.number}")
    assert second.of("Ip4Config")[0].unpack()["address"] == ip4(f"10.8.0.{two.number}")
    first.disconnect()
    assert first.wait_exit() == 0
    assert len(world.computer.devices()) == 1
    assert second.names()[-1] == STARTED


def test_log_tells_the_story(world):
    """At the default level: what was tried, that it answered, what was configured, the end."""
    me = world.account()
    service = world.service()
    service.connect(me.connection(dns="10.8.0.1"))
    service.wait_state(STARTED)
    service.disconnect()
    service.wait_exit()
    peer = world.gateway.keys.public[:8]
    story = ["Connecting “office”", f"Trying 192.0.2.1:51820, peer {peer}…",
             f"Session with peer {peer}… at 192.0.2.1:51820", "Interface culvert0, MTU 1420",
             f"IPv4: address 10.8.0.{me.number}/24; DNS 10.8.0.1",
             "Disconnected after"]
    log = service.log()
    places = [log.find(part) for part in story]
    assert -1 not in places and places == sorted(places), log
