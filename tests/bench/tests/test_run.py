# SPDX-License-Identifier: LGPL-2.1-or-later
"""The benchmark stops when it is told to, and leaves nothing. As root.

Environment: BENCH_BUILD, a finished build."""

import os
import sys

import pytest

from lab.machine import Machine

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(os.path.dirname(HERE), "bench.py")

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif("BENCH_BUILD" not in os.environ, reason="needs a build in BENCH_BUILD"),
]


@pytest.mark.parametrize("how, status", [("int", "130"), ("term", "143")])
def test_interrupted(how, status, tmp_path):
    machine = Machine(sys.executable, BENCH, "--build", os.path.abspath(os.environ["BENCH_BUILD"]),
                      "--peers", "forwarder", "--only", "ping", "--rounds", "1000",
                      env=os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(HERE)),
                                        "TMPDIR": str(tmp_path)})
    try:
        before = machine.state()
        lines = iter(machine.process.stderr.readline, "")
        assert any(line.startswith("round 2/1000 forwarder: ping_us ") for line in lines)
        machine.ask(how)
        assert machine.ask("wait") == status
        assert machine.state() == before
        assert not os.listdir(tmp_path)
    finally:
        machine.close()
