# SPDX-License-Identifier: LGPL-2.1-or-later
"""The device of the interface, as `ip` shows it: how it was opened, whose it is and what that user
may do; and what tcpdump sees of the traffic, on it and beside it."""

import contextlib
import itertools
import os
import re

import pytest

from conftest import Culvert
from lab import wait_for

PROGRAM = os.environ.get("CULVERT", "culvert")

USER, GROUP, STRANGER = 61001, 61002, 61003  # nobody of the system


def shown(host):
    """What `ip -d link` and `ip tuntap` say of it. The latter reads /sys, which shows the
    interfaces of the namespace that it was mounted in."""
    (link,) = re.findall(r"^ *tun (.*)", host.output("ip", "-d", "link", "show", "gw0"), re.M)
    tuntaps = host.output("unshare", "--mount", "sh", "-c",
                          "mount -t sysfs sysfs /sys && ip tuntap")
    (tuntap,) = re.findall(r"^gw0: (.*)", tuntaps, re.M)
    return link, tuntap


@contextlib.contextmanager
def running(host, queues, *options, **env):
    made = Culvert(host, env={"CULVERT_QUEUES": str(queues), **env}, options=map(str, options))
    try:
        made.up("10.8.0.1/24")
        yield made
    finally:
        made.stop()


def check_shown(host, link, tuntap):
    seen_link, seen_tuntap = shown(host)
    assert re.match(rf"type tun pi off {link}( addrgenmode| *$)", seen_link), seen_link
    assert seen_tuntap.split() == ["tun", *tuntap.split()]


# ---- As it was opened

@pytest.mark.parametrize("queues, options, link, tuntap", [
    (3, [], "vnet_hdr on multi_queue numqueues 3 numdisabled 0 persist off user root",
     "multi_queue vnet_hdr user 0"),
    (3, ["--no-offload"],
     "vnet_hdr off multi_queue numqueues 3 numdisabled 0 persist off user root",
     "multi_queue user 0"),
    (1, [], "vnet_hdr on persist off user root", "vnet_hdr user 0"),
    (1, ["--no-offload"], "vnet_hdr off persist off user root", "user 0"),
])
def test_opened(host, queues, options, link, tuntap):
    with running(host, queues, *options):
        check_shown(host, link, tuntap)


@pytest.mark.parametrize("env, options, link, tuntap", [
    ({}, ["--tun-user", "nobody"], "user nobody", "user 65534"),
    ({}, [f"--tun-user={USER}"], f"user {USER}", f"user {USER}"),
    ({}, ["--tun-group", "daemon"], "group daemon", "group 1"),
    ({}, ["--tun-group", "0"], "group root", "group 0"),
    ({}, ["--tun-user", USER, "--tun-group", GROUP], f"user {USER} group {GROUP}",
     f"user {USER} group {GROUP}"),
    ({"CULVERT_TUN_USER": "nobody", "CULVERT_TUN_GROUP": f"{GROUP}"}, [],
     f"user nobody group {GROUP}", f"user 65534 group {GROUP}"),
    ({"CULVERT_TUN_USER": "nobody"}, ["--tun-user", "daemon"], "user daemon", "user 1"),
])
def test_owner(host, env, options, link, tuntap):
    with running(host, 1, *options, **env):
        check_shown(host, f"vnet_hdr on persist off {link}", f"vnet_hdr {tuntap}")


@pytest.mark.parametrize("options, said", [
    (["--one-queue"], "“one_queue” is obsolete in the kernel"),
    (["--tun-user", "no-such-user"], "no user “no-such-user”"),
    (["--tun-user", "4294967295"], "no user “4294967295”"),
    (["--tun-user", "-1"], "no user “-1”"),
    (["--tun-user="], "no user “”"),
    (["--tun-group", "no-such-group"], "no group “no-such-group”"),
    (["--tun-group", "4294967295"], "no group “4294967295”"),
])
def test_refused(host, options, said):
    result = host.run(PROGRAM, *options, "gw0", check=False, timeout=10)
    assert result.returncode == 1 and said in result.stdout
    assert not host.succeeds("ip", "link", "show", "gw0")


# ---- What its owner may do

# Joins gw0, or says why not. Then packets to 10.8.0.0/24 are read until there are ten, and one is
# written, from a host that is not there. TUNSETIFF, TUNSETPERSIST: <linux/if_tun.h>.
JOIN = """
import errno, fcntl, os, socket, struct, sys

TUNSETIFF, TUNSETPERSIST = 0x400454ca, 0x400454cb
IFF_TUN, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_VNET_HDR = 1, 0x100, 0x1000, 0x4000
VNET_HDR = bytes(10)

def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return 0xffff - total

device = os.open("/dev/net/tun", os.O_RDWR)
flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | (IFF_MULTI_QUEUE if sys.argv[1] != "1" else 0)
try:
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"gw0", flags))
except OSError as error:
    sys.exit(errno.errorcode[error.errno])
print("joined", flush=True)

try:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
except OSError as error:
    print("capture:", errno.errorcode[error.errno], flush=True)

taken = 0
while taken < 10:
    packet = os.read(device, 65535 + len(VNET_HDR))[len(VNET_HDR):]
    taken += packet[0] == 0x45 and packet[16:19] == bytes([10, 8, 0]) and b"clear text" in packet
print("taken", flush=True)

udp = struct.pack(">HHHH", 1, 7777, 8 + 6, 0) + b"forged"
ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
ip += bytes([10, 8, 0, 99]) + bytes([10, 8, 0, 1])
ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
os.write(device, VNET_HDR + ip + udp)
fcntl.ioctl(device, TUNSETPERSIST, 1)
fcntl.ioctl(device, TUNSETPERSIST, 0)
print("written", flush=True)
"""

# To 240 neighbours, over and over.
SEND = """
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for n in range(2, 242):
        try:
            s.sendto(b"clear text", ("10.8.0.%d" % n, 9))
        except OSError:
            pass  # an answer to an earlier one: nobody is there
    time.sleep(0.01)
"""

HEAR = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.8.0.1", 7777))
print("ready", flush=True)
print(s.recvfrom(100), flush=True)
"""


def as_user(user, group, queues):
    return ("setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--no-new-privs",
            "--bounding-set=-all", "/usr/bin/python3", "-c", JOIN, queues)


def why_not(host, user, group, queues):
    result = host.run(*as_user(user, group, queues), check=False, timeout=20)
    assert result.returncode == 1
    return result.stdout.split()[-1]


@pytest.mark.parametrize("options, may", [
    ([], []),
    (["--tun-user", USER], [(USER, STRANGER), (USER, GROUP)]),
    (["--tun-group", GROUP], [(STRANGER, GROUP), (USER, GROUP)]),
    (["--tun-user", USER, "--tun-group", GROUP], [(USER, GROUP)]),
], ids=["root", "user", "group", "user-and-group"])
def test_who_may_join(host, options, may):
    with running(host, 2, *options):
        for user, group in itertools.product((STRANGER, USER), (STRANGER, GROUP)):
            if (user, group) not in may:
                assert why_not(host, user, group, 2) == "EPERM"
                continue
            log = "-".join(map(str, ["join", user, group, *options]))
            process = host.spawn(*as_user(user, group, 2), log=log)
            wait_for(lambda log=log: "joined" in host.log(log), "it to join")
            assert "numqueues 3" in shown(host)[0]
            host.stop(process)
            wait_for(lambda: "numqueues 2" in shown(host)[0], "its queue to go")


def test_one_queue_cannot_be_joined(host):
    with running(host, 1, "--tun-user", USER):
        assert why_not(host, USER, GROUP, 1) == "EBUSY"
        assert why_not(host, USER, GROUP, 2) == "EINVAL"
        assert why_not(host, STRANGER, GROUP, 1) == "EPERM"


def test_what_the_owner_may_do(host):
    """As culvert(8) has it: take packets, put packets, change the device; but not capture."""
    with running(host, 2, "--tun-user", USER):
        hearing = host.spawn("/usr/bin/python3", "-c", HEAR, log="hear")
        wait_for(lambda: "ready" in host.log("hear"), "somebody to hear")
        sending = host.spawn("/usr/bin/python3", "-c", SEND)
        joined = host.spawn(*as_user(USER, GROUP, 2), log="owner")
        wait_for(lambda: "written" in host.log("owner"), "the owner's program")
        assert joined.wait(10) == 0
        assert "capture: EPERM" in host.log("owner")
        assert hearing.wait(10) == 0
        assert "(b'forged', ('10.8.0.99', 1))" in host.log("hear")
        host.stop(sending)


# ---- What tcpdump sees

class Tcpdump:
    """Of an interface, with the bytes as text; listening when made."""

    def __init__(self, host, interface, expression):
        self.host = host
        self.log_name = f"tcpdump-{interface}-{len(expression)}"
        self.process = host.spawn("tcpdump", "--immediate-mode", "-lnni", interface, "-A",
                                  expression, log=self.log_name)
        wait_for(lambda: "listening on" in self.text(), "tcpdump to listen")

    def text(self):
        return self.host.log(self.log_name)

    def stop(self):
        """Ends it; how many packets it saw, and their bytes as text."""
        self.host.stop(self.process)
        (count,) = re.findall(r"^(\d+) packets? captured", self.text(), re.M)
        return int(count), self.text()


NEIGHBOURS = "arp or icmp6 or ip6 multicast"  # how the hosts find each other on the cable
# A type of 1 to 4 and three zeroes, to or from the port: the kernel's messages.h.
WIREGUARD = "(udp port 51820 and udp[8] > 0 and udp[8] <= 4 and udp[9] = 0 and udp[10:2] = 0)"


def test_clear_on_the_device_and_wireguard_on_the_uplink(pair):
    host = pair.left.host
    device = Tcpdump(host, "gw0", "icmp")
    uplink = Tcpdump(host, "wan0", WIREGUARD)
    beside = Tcpdump(host, "wan0", f"not ({NEIGHBOURS}) and not {WIREGUARD}")
    host.run("ping", "-c", 5, "-i", 0.01, "-w", 20, "-s", 1000, "-p", b"culvert".hex(), "10.8.0.2")
    wait_for(lambda: device.text().count("echo reply") >= 5, "the answers on the device")
    count, text = device.stop()
    assert count == 10 and text.count("culvert" * 20) >= 10
    count, text = uplink.stop()
    assert count >= 2 + 10 and "culvert" not in text  # a handshake, and the pings
    count, text = beside.stop()
    assert count == 0, text
