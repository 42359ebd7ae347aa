# SPDX-License-Identifier: LGPL-2.1-or-later
"""How culvert starts and ends, and what it says."""

import contextlib
import os
import re
import signal
import time

import pytest

from conftest import FAULT, Culvert, Key, end_of
from lab import KeyPair, wait_for

PROGRAM = os.environ.get("CULVERT", "culvert")
NAME = os.path.basename(PROGRAM)
CLIENTS_MAX = 64  # culvert-uapi.c


def devices(host):
    return {line.split(": ")[1].split("@")[0] for line in host.output("ip", "-o", "link").splitlines()}


def left(host):
    """What a culvert may leave behind on a host: nothing."""
    return devices(host) - {"lo"}, host.sh("ls -A /run/wireguard 2>/dev/null || true")


NONE = (set(), "")


# ---- Into the background

@pytest.mark.usefixtures("no_culvert")
class TestBackground:
    def test_ready_when_it_returns(self, host):
        """Ten times, since a race would be seen in one of them. It lets go of its terminal, too:
        otherwise run(), which reads to the end of its output, would not return."""
        for number in range(10):
            result = host.run(PROGRAM, f"gw{number}", timeout=10)
            assert result.stdout == ""
            shown = host.run("wg", "show", f"gw{number}")
            assert shown.stdout == f"interface: gw{number}\n"
        assert len(host.pids(NAME)) == 10

    def test_nothing_of_the_starter_stays(self, host):
        host.run("sh", "-c", f"cd /run/lab && exec 7</etc/passwd && exec {PROGRAM} gw0")
        (pid,) = host.pids(NAME)
        for number in (0, 1, 2):
            assert os.readlink(f"/proc/{pid}/fd/{number}") == "/dev/null"
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert os.getsid(pid) == pid

    @pytest.mark.parametrize("how", [[], ["-f"]])
    def test_failure_is_told(self, host, how):
        host.sh("ip link add gw0 type veth peer name gw0-peer")
        try:
            result = host.run(PROGRAM, *how, "gw0", check=False, timeout=10)
            assert result.returncode == 1
            assert "“gw0”" in result.stdout and result.stdout.startswith(f"{NAME}: ")
            assert not host.pids(NAME)
            assert host.sh("ls -A /run/wireguard") == ""
        finally:
            host.run("ip", "link", "delete", "gw0")

    def test_foreground_stays(self, host):
        for argv, env in ((["-f"], {}), (["--foreground"], {}), ([], {"WG_PROCESS_FOREGROUND": "1"})):
            process = host.spawn(PROGRAM, *argv, "gw0", env=env)
            wait_for(lambda: host.succeeds("wg", "show", "gw0"), "the interface")
            assert process.poll() is None
            host.stop(process)
            assert left(host) == NONE

    @pytest.mark.parametrize("setting, says", [
        ("AEAD=evp", "Packets are encrypted by evp"),
        ("AEAD=perhaps", "Ignoring CULVERT_AEAD=perhaps"),
        ("AEAD=reference", "Ignoring CULVERT_AEAD=reference"),
        ("OFFLOAD=no", "Doing without the kernel's offloads"),
        ("OFFLOAD=perhaps", "Ignoring CULVERT_OFFLOAD=perhaps"),
        ("QUEUES=3", "Using 3 queues"),
        ("QUEUES=5", "Ignoring CULVERT_QUEUES=5"),
        ("QUEUES=", "Ignoring CULVERT_QUEUES="),
    ])
    def test_environment(self, host, setting, says):
        name, value = setting.split("=")
        log = f"environment-{name}-{value}"
        process = host.spawn(PROGRAM, "-f", "gw0", log=log,
                             env={f"CULVERT_{name}": value, "LOG_LEVEL": "verbose"})
        wait_for(lambda: host.succeeds("wg", "show", "gw0"), "the interface")
        assert says in host.log(log)
        host.stop(process)

    @pytest.mark.parametrize("argument, shown", [([], True), (["--no-offload"], False)])
    def test_offload(self, host, argument, shown):
        """`ip -d link` tells what a device is opened with."""
        process = host.spawn(PROGRAM, "-f", *argument, "gw0", log="offload")
        wait_for(lambda: host.succeeds("wg", "show", "gw0"), "the interface")
        assert ("vnet_hdr on" in host.output("ip", "-d", "link", "show", "gw0")) == shown
        host.stop(process)


# ---- Endings

@pytest.mark.usefixtures("no_culvert")
class TestEnd:
    @pytest.mark.parametrize("how", ["background", "foreground"])
    @pytest.mark.parametrize("up", [False, True], ids=["down", "up"])
    @pytest.mark.parametrize("end", ["TERM", "INT", "device", "socket"])
    def test_leaves_nothing(self, host, how, up, end):
        if how == "background":
            host.run(PROGRAM, "gw0")
            process = None
        else:
            process = host.spawn(PROGRAM, "-f", "gw0", log="ending")
            wait_for(lambda: host.succeeds("wg", "show", "gw0"), "the interface")
        if up:
            host.sh("wg set gw0 listen-port 5000; ip link set gw0 up")
            wait_for(lambda: ":5000" in host.output("ss", "-lun"), "its port")
        (pid,) = host.pids(NAME)
        if end == "device":
            host.run("ip", "link", "delete", "gw0")
        elif end == "socket":
            host.run("rm", "/run/wireguard/gw0.sock")
        else:
            os.kill(pid, getattr(signal, f"SIG{end}"))
        end_of(pid)
        assert left(host) == NONE
        assert ":5000" not in host.output("ss", "-lun")
        if process:
            assert process.wait(10) == 0
            assert not FAULT.search(host.log("ending")) and "<warn>" not in host.log("ending")

    def test_killed_it_leaves_a_socket_that_the_next_one_takes(self, host):
        host.run(PROGRAM, "gw0")
        (pid,) = host.pids(NAME)
        os.kill(pid, signal.SIGKILL)
        end_of(pid)
        assert left(host) == (set(), "gw0.sock")
        host.run(PROGRAM, "gw0")
        assert host.output("wg", "show", "interfaces") == "gw0"

    def test_second_instance(self, host):
        host.run(PROGRAM, "gw0")
        host.sh("wg set gw0 listen-port 77")
        result = host.run(PROGRAM, "gw0", check=False)
        assert result.returncode == 1
        assert "“gw0”" in result.stdout and "/run/wireguard/gw0.sock" in result.stdout
        assert "listening port: 77" in host.output("wg", "show", "gw0"), "the first goes on"
        host.run(PROGRAM, "gw1")
        assert set(host.output("wg", "show", "interfaces").split()) == {"gw0", "gw1"}

    def test_ends_while_a_client_waits(self, culvert):
        with culvert.connect() as client:
            client.sendall(b"set=1\n")
            again = Culvert(culvert.host, "gw7")
            with again.connect() as other:
                other.sendall(b"get=1\n\n")
                again.stop()
                assert other.recv(10000).startswith(b"listen_port=0\n")
                assert other.recv(100) == b""


# ---- Up and down

def test_ports_are_open_while_up(host, culvert):
    def listening():
        return host.output("ss", "-Hlun").count(":5000 ")
    culvert.set("listen-port", "5000")
    assert listening() == 0
    for _ in range(3):
        culvert.up()
        wait_for(lambda: listening() == 2, "both sockets to open")
        host.run("ip", "link", "set", "gw0", "down")
        wait_for(lambda: listening() == 0, "both sockets to close")
    assert culvert.dump()[0][2] == "5000"


def test_down_drops_the_session(pair):
    assert pair.ping()
    time.sleep(0.02)  # so long the other end takes no further initiation: WG_INITIATION_INTERVAL
    sent = int(pair.left.dump()[1][pair.right.keys.public][5])
    pair.left.host.run("ip", "link", "set", "gw0", "down")
    wait_for(lambda: ":51820" not in pair.left.host.output("ss", "-Hlun"), "the sockets to close")
    pair.left.up()
    assert pair.ping()
    # An initiation, perhaps a keepalive, a ping: without a new session it were the last alone.
    assert int(pair.left.dump()[1][pair.right.keys.public][5]) - sent in (148 + 128, 148 + 32 + 128)


def test_up_with_a_port_in_use(host, culvert):
    """The kernel would refuse to set the interface up; here a message, and another port helps."""
    other = Culvert(host, "gw8")
    other.set("listen-port", "5000")
    other.up()
    wait_for(lambda: ":5000 " in host.output("ss", "-Hlun"), "the port to be taken")
    culvert.set("listen-port", "5000")
    culvert.up()
    wait_for(lambda: "UDP port 5000" in culvert.log(), "a message")
    culvert.set("listen-port", "5001")
    assert ":5001 " in host.output("ss", "-Hlun")
    other.stop()


@pytest.mark.usefixtures("no_culvert")
def test_moved_where_it_may_not_look(host):
    """It goes on, and sees the end of the device all the same."""
    process = host.spawn("setpriv", "--bounding-set", "-sys_admin", PROGRAM, "-f", "gw0",
                         log="moved")
    wait_for(lambda: host.succeeds("wg", "show", "gw0"), "the interface")
    host.sh("wg set gw0 listen-port 5000; ip netns add inner; ip link set gw0 netns inner")
    try:
        wait_for(lambda: ":5000 " in host.output("ss", "-Hlun"), "it to be taken as up")
        assert "is taken to be up: Operation not permitted" in host.log("moved")
        host.run("ip", "-n", "inner", "link", "delete", "gw0")
        assert process.wait(10) == 0
        assert "was removed: ending" in host.log("moved")
    finally:
        host.run("ip", "netns", "delete", "inner")


# ---- What it says

@pytest.mark.parametrize("level, shown, hidden", [
    ("silent", [], ["warn", "info", "more"]),
    ("error", [], ["warn", "info", "more"]),
    ("", ["info"], ["more"]),
    ("loud", ["info"], ["more"]),
    ("info", ["info", "more"], []),
    ("debug", ["info", "more"], []),
    ("verbose", ["info", "more"], []),
])
@pytest.mark.usefixtures("no_culvert")
def test_log_level(host, level, shown, hidden):
    made = Culvert(host, level=level)
    made.up()
    made.request("set=1\nfwmark=x\n\n")
    with contextlib.ExitStack() as stack:  # one client too many is hung up on
        for _ in range(CLIENTS_MAX + 1):
            stack.enter_context(made.connect())
        made.dump()
    made.stop()
    levels = set(re.findall(r"<(\w+)>", made.log()))
    assert set(shown) <= levels and not set(hidden) & levels, made.log()
    assert ("line 2: Invalid argument" in made.log()) == ("info" in shown)


def test_sessions_are_told(pair):
    assert pair.ping()
    wait_for(lambda: "session with 192.0.2.1:51820" in pair.left.log(), "the log")
    assert pair.right.keys.public[:8] in pair.left.log()
    for end in (pair.left, pair.right):
        assert end.keys.private not in end.log() and end.keys.private[:8] not in end.log()


def test_help_and_version(host):
    text = host.output(PROGRAM, "--help")
    for word in ("INTERFACE", "-f, --foreground", "--version", "LOG_LEVEL", "wg-quick",
                 "WG_QUICK_USERSPACE_IMPLEMENTATION"):
        assert word in text
    assert max(map(len, text.splitlines())) < 100
    assert re.fullmatch(r"culvert \d+\.\d+\.\d+", host.output(PROGRAM, "--version"))


@pytest.mark.parametrize("argv, said", [
    ([], "name of one network interface"), (["a", "b"], "name of one network interface"),
    (["-x"], "-x"), (["--log", "gw0"], "--log"), ([""], "“”"), (["a/b"], "“a/b”"), ([".."], "“..”"),
    (["a b"], "“a b”"), (["a:b"], "“a:b”"), (["gw%d"], "“gw%d”"), (["a" * 16], "15 bytes"),
    (["gw\n0"], "gw"), (["ä" * 8], "15 bytes")])
@pytest.mark.usefixtures("no_culvert")
def test_bad_arguments(host, argv, said):
    result = host.run(PROGRAM, *argv, check=False, timeout=10)
    assert result.returncode == 1
    assert said in result.stdout and result.stdout.startswith(f"{NAME}: ")
    assert not host.pids(NAME)


@pytest.mark.parametrize("name", ["a" * 15, "gw-0.1_x", "ä", "-w0"])
@pytest.mark.usefixtures("no_culvert")
def test_unusual_names(host, name):
    host.run(PROGRAM, "--", name)
    assert host.output("wg", "show", "interfaces") == name
    (pid,) = host.pids(NAME)
    host.run("ip", "link", "delete", "dev", name)
    end_of(pid)


def test_not_root(host):
    result = host.run("setpriv", "--reuid", "65534", "--clear-groups", PROGRAM, "gw0", check=False)
    assert result.returncode == 1
    assert "/run/wireguard/gw0.sock" in result.stdout and "ermission denied" in result.stdout


@pytest.mark.usefixtures("no_culvert")
def test_no_tun_driver(host):
    result = host.run("unshare", "--mount", "sh", "-c",
                      f"mount -t tmpfs tmpfs /dev/net && exec {PROGRAM} gw0", check=False)
    assert result.returncode == 1 and "/dev/net/tun" in result.stdout


@pytest.mark.usefixtures("no_culvert")
def test_without_ipv6(host):
    host.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
    try:
        made = Culvert(host)
        made.set("private-key", Key(KeyPair.generate().private), "listen-port", "5000")
        made.up()
        wait_for(lambda: ":5000 " in host.output("ss", "-Hlun"), "the socket")
        made.stop()
    finally:
        host.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=0")
