# SPDX-License-Identifier: LGPL-2.1-or-later
"""Medians, quantiles, and the search for the highest rate, with links that are made up."""

import math

import pytest

import search


class Link:
    """Lets `capacity` datagrams a second through; the sender can do `most`. Beyond its capacity it
    loses `collapse` times as much as is too much."""

    def __init__(self, capacity, most=1e6, collapse=1.0):
        self.capacity = capacity
        self.most = most
        self.collapse = collapse
        self.tried = []

    def __call__(self, rate):
        self.tried.append(rate)
        sent = min(rate or self.most, self.most)
        excess = max(0, sent - self.capacity)
        return sent, max(0, min(sent, self.capacity) - (self.collapse - 1) * excess)


def test_quantiles():
    assert search.quantile(list(range(1, 101)), 0.99) == 100
    assert search.quantile(list(range(1, 101)), 0.5) == 51
    assert search.quantile([7], 0.99) == 7
    assert math.isnan(search.quantile([], 0.5))


def test_what_the_sender_can_do_passes():
    link = Link(capacity=2e6)
    assert search.highest_rate(link, 8) == 1e6
    assert link.tried == [0]


@pytest.mark.parametrize("collapse", [1.0, 1.5])
@pytest.mark.parametrize("capacity", [50e3, 200e3, 900e3])
def test_capacity_is_found(capacity, collapse):
    link = Link(capacity, collapse=collapse)
    found = search.highest_rate(link, 12)
    assert 0.94 * capacity <= found <= 1.01 * capacity
    assert len(link.tried) <= 12


def test_trials_are_bounded():
    link = Link(capacity=0)
    assert search.highest_rate(link, 5) == 0
    assert len(link.tried) == 5


def test_one_percent_is_too_much():
    assert search.passes(1000, 991)
    assert not search.passes(1000, 990)
    assert not search.passes(0, 0)
