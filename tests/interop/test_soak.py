# SPDX-License-Identifier: LGPL-2.1-or-later
"""Under load for a time, while clocks that run faster replace the session's keys every few seconds:
no stream is lost, and nothing grows. CULVERT_SOAK_SECONDS: how long, ten minutes with
`meson test --benchmark soak`."""

import os
import sys
import time

import pytest

from ends import make_ends
from lab import host, wait_for
from lab.confined import resources

SECONDS = float(os.environ.get("CULVERT_SOAK_SECONDS", 20))
SANITIZED = "CULVERT_SANITIZED" in os.environ  # memory is a sanitizer's, and says nothing
STREAMS = 2  # each way
STREAM = os.path.join(os.path.dirname(host.__file__), "stream.py")

# WireGuard's REKEY_AFTER_TIME of 120 seconds takes three.
SPEED = 40
REKEY_SECONDS = 120 / SPEED

SAMPLE_SECONDS = 0.5

# Of resident memory, from a quarter of the time on.
GROWTH_KB = 1024


def start(source, target, port):
    """A stream for SECONDS; the process that sends."""
    log = f"sink-{port}"
    target.host.spawn(sys.executable, STREAM, "sink", target.v4, port, log=log)
    wait_for(lambda: "listening" in target.host.log(log), "the receiver to listen")
    return source.host.spawn(sys.executable, STREAM, "send", target.v4, port, SECONDS,
                             log=f"send-{port}")


@pytest.mark.slow
def test_rekeys_under_load(cable):
    a, b = make_ends(cable, ("culvert", "culvert"), environment={
        "LD_PRELOAD": os.environ["CULVERT_CLOCK"], "LAB_CLOCK_SPEED": str(SPEED)})
    assert a.ping(b.v4)
    senders = [(source, port, start(source, target, port))
               for port, (source, target) in enumerate([(a, b), (b, a)] * STREAMS, 6001)]
    pids = {end: end.host.pids("culvert")[0] for end in (a, b)}
    handshakes, samples = set(), []
    while any(sender.poll() is None for _source, _port, sender in senders):
        # The time of a handshake is the wall clock's.
        handshakes.add(a.output("latest-handshakes").split()[-1])
        samples.append({end: resources(pid) for end, pid in pids.items()})
        time.sleep(SAMPLE_SECONDS)
    moved = 0
    for source, port, sender in senders:
        log = source.host.log(f"send-{port}")
        assert sender.returncode == 0, log
        moved += int(log)
    first, last = samples[len(samples) // 4], samples[-1]
    print(f"{SECONDS:g} s: {moved / 1e9:.2f} GB, {len(handshakes)} handshakes seen; "
          + "; ".join(f"{end.host.name}: {first[end]} to {last[end]}" for end in (a, b)))
    assert len(handshakes) >= SECONDS / REKEY_SECONDS / 2
    for end in (a, b):
        assert last[end]["descriptors"] == first[end]["descriptors"]
        assert SANITIZED or last[end]["memory_kb"] - first[end]["memory_kb"] <= GROWTH_KB
