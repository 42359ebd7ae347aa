# SPDX-License-Identifier: LGPL-2.1-or-later
"""Under load for a time, while clocks that run faster replace the session's keys every few seconds:
no stream is lost, and nothing grows. CULVERT_SOAK_SECONDS: how long, ten minutes with
`meson test --benchmark soak`."""

import os
import time

import pytest

from ends import make_ends
from lab.confined import resources
from lab.streams import Stream

SECONDS = float(os.environ.get("CULVERT_SOAK_SECONDS", 20))
SANITIZED = "CULVERT_SANITIZED" in os.environ  # memory is a sanitizer's, and says nothing
STREAMS = 2  # each way

# WireGuard's REKEY_AFTER_TIME of 120 seconds takes three.
SPEED = 40
REKEY_SECONDS = 120 / SPEED

SAMPLE_SECONDS = 0.5

# Of resident memory, from a quarter of the time on.
GROWTH_KB = 1024


@pytest.mark.slow
def test_rekeys_under_load(cable):
    a, b = make_ends(cable, ("culvert", "culvert"), environment={
        "LD_PRELOAD": os.environ["CULVERT_CLOCK"], "LAB_CLOCK_SPEED": str(SPEED)})
    assert a.ping(b.v4)
    streams = [Stream(source.host, target.host, target.v4, port, SECONDS)
               for port, (source, target) in enumerate([(a, b), (b, a)] * STREAMS, 6001)]
    pids = {end: end.host.pids("culvert")[0] for end in (a, b)}
    handshakes, samples = set(), []
    while not all(stream.has_ended() for stream in streams):
        # The time of a handshake is the wall clock's.
        handshakes.add(a.output("latest-handshakes").split()[-1])
        samples.append({end: resources(pid) for end, pid in pids.items()})
        time.sleep(SAMPLE_SECONDS)
    moved = sum(stream.end() for stream in streams)
    first, last = samples[len(samples) // 4], samples[-1]
    print(f"{SECONDS:g} s: {moved / 1e9:.2f} GB, {len(handshakes)} handshakes seen; "
          + "; ".join(f"{end.host.name}: {first[end]} to {last[end]}" for end in (a, b)))
    assert len(handshakes) >= SECONDS / REKEY_SECONDS / 2
    for end in (a, b):
        assert last[end]["descriptors"] == first[end]["descriptors"]
        assert SANITIZED or last[end]["memory_kb"] - first[end]["memory_kb"] <= GROWTH_KB
