# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service's tables in nftables, without NetworkManager. What they do to packets is the desktop
tests' matter."""

import os
import re
import resource
import signal

import pytest

from lab import wait_for
from lab.confined import resources
from manager import STARTED, STOPPED, Refused


@pytest.fixture(autouse=True)
def no_table_left(world):
    yield
    world.close_services()
    for name in tables(world):
        world.computer.run("nft", "delete", "table", "inet", name)


def tables(world):
    return re.findall(r"table inet (nm-culvert-\S+)",
                      world.computer.output("nft", "list", "tables", "inet"))


def connection(world, **data):
    return world.account().connection(**data)


def connect(world, profile):
    service = world.service()
    service.connect(profile)
    service.wait_state(STARTED)
    return service


def uuid_of(profile):
    return profile.unpack()["connection"]["uuid"]


def test_kill_switch(world):
    """Nobody said in NetworkManager that it is to end: it stays, until another connection starts."""
    profile = connection(world, kill_switch="yes")
    name = f"nm-culvert-{uuid_of(profile)}"
    service = connect(world, profile)
    assert sorted(tables(world)) == [name, name + "-tunnel"]
    assert "0x43756c76" in world.computer.output("nft", "list", "table", "inet", name)
    service.disconnect()
    service.wait_state(STOPPED)
    assert tables(world) == [name]
    assert f"To remove it by hand: nft delete table inet {name}" in service.log()

    other = connection(world)
    service = connect(world, other)
    assert tables(world) == [f"nm-culvert-{uuid_of(other)}-tunnel"]
    service.disconnect()
    service.wait_state(STOPPED)
    wait_for(lambda: tables(world) == [], "the table to go")


def test_mark_of_the_profile(world):
    profile = connection(world, kill_switch="allow-local", fwmark="0x51")
    connect(world, profile)
    rules = world.computer.output("nft", "list", "table", "inet",
                                  f"nm-culvert-{uuid_of(profile)}")
    assert "meta mark 0x00000051" in rules and "192.168.0.0/16" in rules


def test_kill_switch_that_cannot_be_had(world):
    """The table is somebody else's. Without the kill switch the same connection would work."""
    profile = connection(world, kill_switch="yes")
    name = f"nm-culvert-{uuid_of(profile)}"
    holder = world.computer.spawn(
        "sh", "-c", f"(echo 'add table inet {name} {{ flags owner; }}'; exec sleep 100) | nft -i")
    wait_for(lambda: tables(world) == [name], "the table")
    try:
        service = world.service()
        with pytest.raises(Refused) as refused:
            service.connect(profile)
        assert "kill-switch: it cannot be put in place" in str(refused.value)
        assert "Operation not permitted" in str(refused.value)
        assert "Trying" not in service.log()
    finally:
        for pid in world.computer.pids("nft"):
            os.kill(pid, signal.SIGTERM)
        world.computer.stop(holder)
        wait_for(lambda: tables(world) == [], "the table to go")


def rules_of(world, name):
    return world.computer.output("nft", "--stateless", "list", "table", "inet", name)


def test_out_of_memory(world):
    """GLib ends a service that gets none, here while it is asked for the secrets of another
    profile: nothing leaves all the same, until another connection starts."""
    profile = connection(world, kill_switch="yes")
    name = f"nm-culvert-{uuid_of(profile)}"
    service = connect(world, profile)
    rules = rules_of(world, name)
    assert not world.computer.succeeds("ping", "-c1", "-w1", "192.0.2.1")
    size = resources(service.pid)["data_kb"] * 1024
    resource.prlimit(service.pid, resource.RLIMIT_DATA, (size, size))
    many = "".join(f"10.{i // 256}.{i % 256}.0/24;" for i in range(65536)) * 4
    with pytest.raises(Refused):
        service.need_secrets(connection(world, allowed_ips=many))
    wait_for(lambda: service.process.poll() is not None, "the service to end")
    service.forget()
    wait_for(lambda: tables(world) == [name], "its other table to go")
    assert rules_of(world, name) == rules
    assert not world.computer.succeeds("ping", "-c1", "-w1", "192.0.2.1")
    connect(world, connection(world))
    assert name not in tables(world)
    assert world.computer.succeeds("ping", "-c1", "-w5", "192.0.2.1")


if "CULVERT_SANITIZED" in os.environ:
    del test_out_of_memory  # a sanitizer needs terabytes of addresses
