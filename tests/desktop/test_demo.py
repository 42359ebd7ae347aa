# SPDX-License-Identifier: LGPL-2.1-or-later
"""`tests/demo`, which README.md tells everybody to run first."""

import os
import pty
import select
import shutil
import subprocess
import tempfile
import time

import pytest

from lab import wait_for
from lab.machine import Machine

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEMO = os.path.join(TESTS, "demo")


@pytest.fixture
def temporary():
    """A folder for what the demo keeps while it runs."""
    folder = tempfile.mkdtemp(prefix="culvert-test-")
    yield folder
    shutil.rmtree(folder)


def arguments(*more):
    return [DEMO, "--build", os.path.abspath(os.environ["CULVERT_BUILD"]), *more]


def environment(temporary, **more):
    return os.environ | {"TMPDIR": temporary} | more


@pytest.mark.parametrize("more, peer", [
    ([], "runs culvert"), (["--peer", "culvert"], "runs culvert"),
    (["--peer", "wireguard-go"], "runs Debian's wireguard-go")])
def test_every_step_holds(temporary, more, peer):
    start = time.monotonic()
    result = subprocess.run(arguments(*more), env=environment(temporary), capture_output=True,
                            text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    assert time.monotonic() - start < 60
    assert f"✓ The gateway {peer}" in result.stdout
    assert "All of it held." in result.stdout and "✗" not in result.stdout
    for shown in ("nmcli connection import type culvert file office.conf",
                  "nmcli connection up office", "nmcli connection down office",
                  "bulk.py send 10.8.0.1 ", "Mbit/s"):
        assert shown in result.stdout
    assert "\033" not in result.stdout, "colours are for terminals"
    assert os.listdir(temporary) == []


# What is shown last before the interruption: of a VPN that comes up, and of each part of the set-up.
@pytest.mark.parametrize("how, status, shown", [
    ("int", "130", "connection up"),
    ("term", "143", "connection up"),
    ("int", "130", "Culvert: a desktop and a gateway"),
    ("int", "130", "Built"),
    ("int", "130", "The gateway runs"),
    ("int", "130", "The desktop runs"),
])
def test_interrupted_it_leaves_nothing(temporary, how, status, shown):
    machine = Machine(*arguments(), env=environment(temporary))
    try:
        before = machine.state()
        while shown not in machine.process.stderr.readline():
            pass
        assert int(machine.ask("processes")) > (5 if "up" in shown else 0)
        assert machine.state() == before
        machine.ask(how)
        assert machine.ask("wait") == status
        wait_for(lambda: machine.ask("processes") == "0", "every process to end")
        assert machine.state() == before
        assert os.listdir(temporary) == []
    finally:
        machine.close()


def test_a_step_that_breaks_is_told(temporary):
    """No build where it is said to be: cross, reason, where the logs are, exit status."""
    result = subprocess.run([DEMO, "--build", temporary], env=environment(temporary),
                            capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1
    assert "✗ Built" in result.stdout and "The logs are in " in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


# The demo, with a gateway that dies at some point.
BREAKS = """
import sys
from lab import demo

def dies_first(step):
    def steps(self):
        self.gateway.stop_wireguard()
        step(self)
    return steps

setattr(demo.Demo, "{step}", dies_first(demo.Demo.{step}))
sys.exit(demo.main())
"""


@pytest.mark.parametrize("step, broken", [
    ("connect", "Up: the gateway answered"),
    ("use", "IPv4 and IPv6 go through the tunnel"),
])
def test_a_gateway_that_dies_is_told(temporary, step, broken):
    """The step that it breaks gets a cross, and the exit status says so."""
    result = subprocess.run(
        ["/usr/bin/python3", "-c", BREAKS.format(step=step), *arguments()[1:]],
        env=environment(temporary, PYTHONPATH=TESTS), capture_output=True, text=True, check=False,
        timeout=60)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"✗ {broken}" in result.stdout and "All of it held." not in result.stdout
    assert result.stdout.count("✗") == 1
    assert "The log of nm-culvert-service:" in result.stdout


def test_shell_has_the_vpn_up(temporary):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(DEMO, arguments("--shell"), environment(temporary, TERM="xterm"))
    said = read_until(terminal, b"desktop # ", 40)
    assert b"\033[" in said, "a terminal gets colours"
    os.write(terminal, b"nmcli -g GENERAL.STATE connection show office; ping -c1 10.8.0.1\n")
    said = read_until(terminal, b"rtt ", 20)
    assert b"activated" in said and b" 0% packet loss" in said
    os.write(terminal, b"exit\n")
    read_until(terminal, None, 20)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    assert os.listdir(temporary) == []


def read_until(terminal, text, deadline):
    """What the terminal shows, up to `text`, or to its end if that is None."""
    said = b""
    end = time.monotonic() + deadline
    while text is None or text not in said:
        ready, _w, _x = select.select([terminal], [], [], max(0, end - time.monotonic()))
        assert ready, f"waited in vain for {text!r}:\n{said.decode(errors='replace')}"
        try:
            said += os.read(terminal, 4096)
        except OSError:  # the other end has been closed
            assert text is None, said.decode(errors="replace")
            break
    return said
