# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a connection makes of clocks that jump. CULVERT_CLOCK: clock.c of tests/interop, built."""

import os
import time

import pytest

from lab import wait_for
from lab.clock import Clock
from manager import STARTED, STOPPED
from status import get_status

HOUR, YEAR = 3600, 365 * 86400
SPEED = 240  # of the clocks that keys and timers go by: an hour takes 15 seconds


@pytest.fixture(name="clock")
def fixture_clock(world):
    return Clock(world.computer, os.environ["CULVERT_CLOCK"])


def ping(world):
    return world.computer.succeeds("ping", "-c1", "-w10", "10.8.0.1")


def connected(world, me, clock, speed=1, **settings):
    service = world.service(env={**clock.environment, "LAB_CLOCK_SPEED": str(speed)})
    service.connect(me.connection(ifname="clock0", **settings))
    service.wait_state(STARTED)
    world.computer.sh(f"ip address add 10.8.0.{me.number}/24 dev clock0; ip link set clock0 up")
    assert ping(world)
    return service


def sessions(world):
    return world.gateway.log("wireguard").count("Received handshake initiation")


def assert_goes_on(world, service):
    """It was never told to be anything but connected, and ends when it is to."""
    assert service.names().count(STARTED) == 1 and STOPPED not in service.names()
    assert world.computer.devices() == ["clock0"]
    service.disconnect()
    service.wait_state(STOPPED)


def test_away_for_an_hour(world, clock):
    """Keys do not outlive it: there are new ones at once, before anything is to be sent."""
    service = connected(world, world.account(), clock)
    before = sessions(world)
    clock.sleep(HOUR)
    assert ping(world)
    wait_for(lambda: "The machine was asleep: all sessions start anew" in service.log(),
             "it to notice")
    wait_for(lambda: sessions(world) > before, "a new session")
    assert ping(world)
    assert_goes_on(world, service)


def test_gateway_away_for_an_hour(world, clock):
    """A connection that is to persist looks for it all the time, and is there again with it; one
    that is not would have ended after two and a half minutes of that time."""
    service = connected(world, world.account(), clock, SPEED, persistent=True)
    world.gateway.stop_wireguard()
    try:
        left = time.monotonic()
        assert not world.computer.succeeds("ping", "-c1", "-w1", "10.8.0.1")
        service.wait_log("has not answered for 90 seconds; still trying")
        wait_for(lambda: time.monotonic() - left > HOUR / SPEED, "the hour to pass", 30)
        status, (peer,) = get_status(service)
        assert status["state"] == peer["state"] == "silent"
        assert peer["last-handshake-age"] > HOUR
    finally:
        world.gateway.start()
    assert ping(world)
    wait_for(lambda: get_status(service)[0]["state"] == "connected", "the status to say so")
    assert_goes_on(world, service)


@pytest.mark.parametrize("years", [-1, 1])
def test_wall_clock_set(world, clock, years):
    """Sessions stay, and new ones are agreed on: the gateway takes no initiation whose time stamp
    is not greater than the last one's. An age is no difference of two times of that clock."""
    me = world.account()
    service = connected(world, me, clock)
    before = sessions(world)
    clock.set(years * YEAR)
    for _ in range(3):
        assert ping(world)
    (peer,) = get_status(service)[1]
    assert 0 <= peer["last-handshake-age"] < 60
    assert sessions(world) == before
    clock.sleep(HOUR)  # the quickest way to a new session
    assert ping(world)
    wait_for(lambda: sessions(world) > before, "a new session")
    assert ping(world)
    (peer,) = get_status(service)[1]
    assert 0 <= peer["last-handshake-age"] < 60
    assert_goes_on(world, service)
