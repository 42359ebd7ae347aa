# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each tunnel that can be measured starts, carries a packet, and leaves nothing. As root.

Environment: BENCH_BUILD, a finished build."""

import os
import shutil

import pytest

from bench import CABLE
from lab import Lab, wait_for
from peers import DEVICE, PEERS, Tools

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif("BENCH_BUILD" not in os.environ, reason="needs a build in BENCH_BUILD"),
]

# Installed for the benchmark, not for the tests.
PROGRAMS = [name for name in PEERS
            if not name.startswith("openvpn") or (shutil.which("openvpn") and
                                                  shutil.which("openssl"))]


@pytest.fixture(scope="module")
def cable():
    with Lab() as lab:
        hosts = lab.add_host("a"), lab.add_host("b")
        lab.link(*hosts, CABLE)
        yield hosts


@pytest.mark.parametrize("name", PROGRAMS)
def test_starts(cable, name):
    with PEERS[name](cable, Tools(os.path.abspath(os.environ["BENCH_BUILD"]))) as peer:
        assert peer.hosts[0].succeeds("ping", "-c1", "-W4", peer.addresses[1])
        assert len(peer.pids()) == (0 if name == "veth" else 2)
    assert not peer.pids()
    assert not cable[0].succeeds("ip", "link", "show", DEVICE)


@pytest.mark.parametrize("name", ["veth", "culvert"])
def test_congestion_control(cable, name):
    """Of what is connected through the tunnel, from the first packet."""
    listen = ("import socket; s = socket.create_server(('0.0.0.0', 5001)); print('there'); "
              "c = s.accept()[0]; print(c.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16))")
    connect = ("import socket, sys; c = socket.create_connection((sys.argv[1], 5001)); "
               "print(c.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16))")
    for host in cable:
        host.run("sysctl", "-qw", "net.ipv4.tcp_congestion_control=reno")
    with PEERS[name](cable, Tools(os.path.abspath(os.environ["BENCH_BUILD"]))) as peer:
        a, b = peer.hosts
        server = b.spawn("python3", "-u", "-c", listen, log=f"listen-{name}")
        wait_for(lambda: "there" in b.log(f"listen-{name}"), "the server to listen")
        assert "cubic" in a.output("python3", "-c", connect, peer.addresses[1])
        server.wait(10)
        assert "cubic" in b.log(f"listen-{name}")
    assert not any("congctl" in host.output("ip", "route") for host in cable)
