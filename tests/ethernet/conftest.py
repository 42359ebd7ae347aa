# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hosts with a WireGuard end that carries Ethernet. What a WireGuard end is stands in ../interop,
as do the variables of the environment."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

from lab import Lab  # noqa: E402
from lab.needs import skip_without_root  # noqa: E402

from ends import check_log, stop_all  # noqa: E402


def pytest_collection_modifyitems(items):
    skip_without_root(items, "CULVERT")


@pytest.fixture(scope="module")
def lab(request):
    """An empty laboratory. At its end each program must have kept its calm."""
    folder = os.environ.get("CULVERT_LOGS")
    with Lab(os.path.join(folder, request.module.__name__) if folder else None) as made:
        yield made
        stop_all()
        for host in made.hosts:
            check_log(host)
