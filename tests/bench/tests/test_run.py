# SPDX-License-Identifier: LGPL-2.1-or-later
"""The benchmark stops when it is told to, and leaves nothing. As root.

Environment: BENCH_BUILD, a finished build."""

import os
import sys

import pytest

from lab.machine import Machine

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(os.path.dirname(HERE), "bench.py")
FAILED = "tests/bench/run:"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif("BENCH_BUILD" not in os.environ, reason="needs a build in BENCH_BUILD"),
]


# As on a machine that has none: iperf3 is installed for the benchmark, not for the tests.
WITHOUT_IPERF3 = ("sh", "-ec", 'if path=$(command -v iperf3); then mount --bind /dev/null "$path"; fi'
                  '; exec "$@"', "sh")


def start(tmp_path, *argv, wrapper=()):
    return Machine(*wrapper, sys.executable, BENCH,
                   "--build", os.path.abspath(os.environ["BENCH_BUILD"]), *argv,
                   env=os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(HERE)),
                                     "TMPDIR": str(tmp_path)})


def wait_for_line(machine, beginning):
    """The first line of that kind on standard error; that the benchmark has failed ends it, too."""
    for line in iter(machine.process.stderr.readline, ""):
        if line.startswith(beginning):
            return line
        assert not line.startswith(FAILED), line
    raise AssertionError(f"no line that begins with {beginning}")


@pytest.mark.parametrize("how, status", [("int", "130"), ("term", "143")])
def test_interrupted(how, status, tmp_path):
    machine = start(tmp_path, "--peers", "forwarder", "--only", "ping", "--rounds", "1000")
    try:
        before = machine.state()
        wait_for_line(machine, "round 2/1000 forwarder: ping_us ")
        machine.ask(how)
        assert machine.ask("wait") == status
        assert machine.state() == before
        assert not os.listdir(tmp_path)
    finally:
        machine.close()


def test_ping_needs_no_iperf3(tmp_path):
    machine = start(tmp_path, "--peers", "veth", "--only", "ping", "--quick",
                    wrapper=WITHOUT_IPERF3)
    try:
        wait_for_line(machine, "round 1/1 veth: ping_us ")
        assert machine.ask("wait") == "0"
    finally:
        machine.close()


def test_failure_is_told(tmp_path):
    machine = start(tmp_path, "--peers", "veth", "--only", "tcp", "--quick",
                    wrapper=WITHOUT_IPERF3)
    try:
        assert "iperf3 to listen" in wait_for_line(machine, FAILED)
        assert machine.ask("wait") == "1"
    finally:
        machine.close()
