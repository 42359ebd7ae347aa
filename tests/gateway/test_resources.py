# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a gateway does when something runs out, and that nothing grows. CULVERT_CYCLES: how often
the interface goes up and down and a peer comes and goes. CULVERT_SANITIZED: memory is a
sanitizer's, and says nothing."""

import os
import resource
import signal

from conftest import Culvert, end_of, public_keys
from lab import wait_for
from lab.confined import resources

CYCLES = int(os.environ.get("CULVERT_CYCLES", 100))
SANITIZED = "CULVERT_SANITIZED" in os.environ
GROWTH_KB = max(264, CYCLES * 8 // 10)  # as in tests/service/test_resources.py

# A thread that waits uses less than this of a processor's time.
IDLE = 0.2


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_out_of_descriptors(pair):
    """Who configures it waits, packets flow, and it does not spin; with more, it answers."""
    assert pair.ping()
    host, (pid,) = pair.left.host, pair.left.host.pids("culvert")
    used = resources(pid)["descriptors"]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, 1024))
    with pair.left.connect() as client:
        client.sendall(b"get=1\n\n")
        pair.left.wait_log("Too many open files")
        before = cpu_seconds(pid)
        assert pair.ping(count=100)
        assert cpu_seconds(pid) - before < IDLE
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (1024, 1024))
        assert b"errno=0" in client.recv(65536)
    assert host.succeeds("wg", "show", pair.left.name)
    wait_for(lambda: resources(pid)["descriptors"] == used, "the client's descriptor to be closed")


def test_interface_up_without_descriptors(culvert):
    """It says that it carries nothing, and a changed port is a new try."""
    pid = culvert.pid()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (resources(pid)["descriptors"] + 1, 1024))
    culvert.up()
    culvert.wait_log("carries nothing until its port is changed")
    assert "Too many open files" in culvert.log()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1024, 1024))
    culvert.set("listen-port", "51821")
    culvert.wait_log("is up, listening on UDP port 51821")


def test_socket_folder_full(host):
    """Without a socket it could not be configured: it says so, and there is no interface."""
    host.sh("mkdir -p /run/wireguard && mount -t tmpfs -o nr_inodes=1 tmpfs /run/wireguard")
    try:
        result = host.run(os.environ["CULVERT"], "-f", "gw7", check=False)
    finally:
        host.run("umount", "/run/wireguard")
    assert result.returncode == 1
    assert "/gw7.sock" in result.stdout and "No space left on device" in result.stdout
    assert not host.succeeds("ip", "link", "show", "gw7")


def test_log_full(host):
    """What nobody can write down is lost, and nothing else."""
    process = host.spawn("sh", "-c", f"exec {os.environ['CULVERT']} -f gw8 >/dev/full 2>&1",
                         env={"LOG_LEVEL": "debug"})
    wait_for(lambda: host.succeeds("wg", "show", "gw8"), "culvert to serve gw8")
    host.run("ip", "link", "set", "gw8", "up")
    host.run("wg", "set", "gw8", "listen-port", "5008")
    assert "5008" in host.output("wg", "show", "gw8")
    host.stop(process)
    assert not host.succeeds("ip", "link", "show", "gw8")


def test_out_of_memory(host):
    """GLib ends a process that gets no memory: at once, and the kernel takes all that it had."""
    first = Culvert(host)
    pid = first.pid()
    size = resources(pid)["data_kb"] * 1024
    resource.prlimit(pid, resource.RLIMIT_DATA, (size, size))
    many = ", ".join(f"10.{i // 256}.{i % 256}.1/32" for i in range(40000))
    first.conf("setconf", f"[Peer]\nPublicKey = {public_keys(1)[0]}\nAllowedIPs = {many}\n",
               check=False)
    end_of(pid)
    assert not host.succeeds("ip", "link", "show", first.name)
    # `wg` would remove the dead socket at any time, also when a new one has just taken its place.
    host.run("rm", first.socket_path)
    Culvert(host).stop()


if SANITIZED:
    del test_out_of_memory  # a sanitizer's memory is not the program's


def configuration(host):
    """All of the network that a tunnel has a part in."""
    return host.sh("ip -o link | cut -d: -f2; ip -o address | cut -c-60; ip route show table all;"
                   "ip -6 route show table all; ip rule; ip -6 rule; ls -A /run/wireguard")


def test_cycles(culvert):
    """Up and down, a peer more and less, over and over: nothing grows."""
    peers = public_keys(4)

    def cycle():
        culvert.host.run("ip", "link", "set", culvert.name, "up")
        for peer in peers:
            culvert.set("peer", peer, "allowed-ips", "10.9.0.0/24", "endpoint", "127.0.0.1:9")
        culvert.host.run("ip", "link", "set", culvert.name, "down")
        for peer in peers:
            culvert.set("peer", peer, "remove")

    def at_rest():
        """What it has while it is down. A request is answered and its end seen after those of
        clients that have gone before."""
        wait_for(lambda: resources(pid)["threads"] <= threads, "the packet threads to end")
        assert "errno=0" in culvert.request("get=1\n\n")
        return resources(pid)

    pid = culvert.pid()
    there, threads = configuration(culvert.host), resources(pid)["threads"]
    for _ in range(CYCLES // 5):
        cycle()
    before = at_rest()
    for _ in range(CYCLES - CYCLES // 5):
        cycle()
    after = at_rest()
    print(f"{CYCLES} cycles: before {before}, after {after}")
    assert after["descriptors"] == before["descriptors"]
    assert SANITIZED or after["memory_kb"] - before["memory_kb"] <= GROWTH_KB
    assert configuration(culvert.host) == there


def test_cycles_of_the_program(host):
    """The program itself comes and goes, with an address, a route and a rule: nothing stays."""
    host.sh("mkdir -p /run/wireguard")
    there = configuration(host)
    for number in range(CYCLES // 5):
        with_kill = number % 4 == 3
        culvert = Culvert(host)
        culvert.set("listen-port", 0, "peer", public_keys(1)[0], "allowed-ips", "10.9.0.0/24")
        culvert.up("10.8.0.1/24")
        host.sh(f"ip route add 10.9.0.0/24 dev {culvert.name};"
                f" ip -6 route add fd09::/64 dev {culvert.name}")
        if not with_kill:
            culvert.stop()
            continue
        os.kill(culvert.pid(), signal.SIGKILL)
        culvert.process.wait()
        host.run("rm", culvert.socket_path)  # as in test_out_of_memory
    assert configuration(host) == there
