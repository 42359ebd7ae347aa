# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens when something runs out, and that nothing grows. CULVERT_CYCLES: how many connects
and disconnects, 1,000 with `meson test --benchmark service-cycles`; CULVERT_SANITIZED: memory is a
sanitizer's, and says nothing."""

import os
import resource

import pytest

from lab.confined import has_ended, resources
from manager import STARTED, STOPPED, Refused, connection, iterate

CYCLES = int(os.environ.get("CULVERT_CYCLES", 100))
SANITIZED = "CULVERT_SANITIZED" in os.environ

# A leak of one pointer's worth in each of 1,000 cycles is less than an arena's grain. This is two
# pages for each ten cycles, and at least what malloc takes at once.
GROWTH_KB = max(264, CYCLES * 8 // 10)


def cycle(service, me):
    service.connect(me.connection())
    service.wait_state(STARTED)
    service.disconnect()
    service.wait_state(STOPPED)
    service.signals.clear()


def routes(world):
    return world.computer.output("ip", "route", "show", "table", "all")


def test_cycles(world):
    """Neither memory, descriptors, threads, devices nor routes grow."""
    me = world.account()
    service = world.service("--persist")
    for _ in range(CYCLES // 5):
        cycle(service, me)
    before, routes_before = resources(service.pid), routes(world)
    for _ in range(CYCLES - CYCLES // 5):
        cycle(service, me)
    after = resources(service.pid)
    print(f"{CYCLES} cycles: before {before}, after {after}")
    assert after["descriptors"] == before["descriptors"]
    assert after["threads"] <= before["threads"]
    assert world.computer.devices() == [] and routes(world) == routes_before
    assert SANITIZED or after["memory_kb"] - before["memory_kb"] <= GROWTH_KB


def outcome(service, me):
    """What becomes of a connection: a state, "refused" or "ended"."""
    try:
        service.connect(me.connection())
        iterate(lambda: {STARTED, STOPPED} & set(service.names()) or service.process.poll()
                is not None, "an outcome; log: " + service.log())
    except Refused:
        pass
    if service.process.poll() is not None:
        return "ended"
    return ({STARTED, STOPPED} & set(service.names()) or {"refused"}).pop()


@pytest.mark.parametrize("spare", range(0, 14))
def test_out_of_descriptors(world, spare):
    """A connection for which there are too few is made, or fails with a reason; what there was is
    given back; and with enough of them the next one is made by the same process. Only libnftables
    ends the process if it gets none (1.0.6, iface.c), and then the kernel gives all back."""
    me = world.account()
    service = world.service("--persist")
    cycle(service, me)
    used = resources(service.pid)["descriptors"]
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (used + spare, 1024))
    what = outcome(service, me)
    assert what == STARTED or "Too many open files" in service.log()
    if what == "ended":
        assert "iface.c" in service.log() and world.computer.devices() == []
        service.forget()
        return
    if what == STARTED:
        service.disconnect()
    assert world.computer.devices() == []
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (1024, 1024))
    service.signals.clear()
    cycle(service, me)
    assert resources(service.pid)["descriptors"] == used


def test_socket_folder_full(world):
    """No room for the configuration socket: all else works, and the log says what does not."""
    world.computer.sh("mkdir -p /run/wireguard && "
                      "mount -t tmpfs -o nr_inodes=1 tmpfs /run/wireguard")
    try:
        service = world.service()
        service.connect(world.account().connection())
        service.wait_state(STARTED)
        service.wait_log("No space left on device")
        service.disconnect()
        assert service.wait_exit() == 0
    finally:
        world.computer.run("umount", "/run/wireguard")


def works(world, service):
    """A connection, traffic through it, and its end, which is that of the service."""
    me = world.account()
    service.connect(me.connection(ifname="works0"))
    service.wait_state(STARTED)
    world.computer.sh(f"ip address add 10.8.0.{me.number}/24 dev works0; ip link set works0 up")
    assert world.computer.succeeds("ping", "-c1", "-w10", "10.8.0.1")
    service.disconnect()
    service.wait_state(STOPPED)


def test_disk_of_the_log_full(world):
    """What nobody can write down is lost, and nothing else; with room there is a log again."""
    world.computer.sh("mkdir -p /run/full && mount -t tmpfs -o size=4k tmpfs /run/full"
                      " && : > /run/full/log && head -c 4096 /dev/zero > /run/full/rest")
    try:
        service = world.service("--debug", "--persist", through=(
            "sh", "-c", 'exec "$@" >> /run/full/log 2>&1', "sh"))
        works(world, service)
        assert world.computer.read("/run/full/log") == ""
        world.computer.run("mount", "-o", "remount,size=1m", "/run/full")
        service.signals.clear()
        works(world, service)
        assert "Connecting “office”" in world.computer.read("/run/full/log")
        service.close()
    finally:
        world.close_services()
        world.computer.run("umount", "/run/full")


def test_journal_gone(world):
    """It ends under the service, and starts again."""
    computer = world.computer
    journal = computer.start_journal()
    service = world.service("--persist", env={"NM_VPN_LOG_SYSLOG": "1", "NM_VPN_LOG_LEVEL": "7"})
    works(world, service)
    assert computer.journal("nm-culvert-service").count("Connecting “office”") == 1
    computer.stop_journal(journal)
    service.signals.clear()
    works(world, service)
    journal = computer.start_journal()
    service.signals.clear()
    works(world, service)
    assert computer.journal("nm-culvert-service").count("Connecting “office”") == 2
    service.close()
    computer.stop_journal(journal)


def test_out_of_memory(world):
    """GLib ends a process that gets no memory: at once, and the kernel takes all that it had."""
    me = world.account()
    service = world.service()
    service.connect(me.connection(ifname="gone0"))
    service.wait_state(STARTED)
    size = resources(service.pid)["data_kb"] * 1024
    resource.prlimit(service.pid, resource.RLIMIT_DATA, (size, size))
    many = "".join(f"10.{i // 256}.{i % 256}.0/24;" for i in range(65536)) * 4
    with pytest.raises(Refused):
        service.need_secrets(connection(me.data(allowed_ips=many)))
    iterate(lambda: service.process.poll() is not None, "the end")
    assert has_ended(service.pid)
    assert world.computer.devices() == []
    service.forget()


if SANITIZED:
    del test_out_of_memory  # a sanitizer needs terabytes of addresses
