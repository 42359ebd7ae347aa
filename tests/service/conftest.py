# SPDX-License-Identifier: LGPL-2.1-or-later
"""One world for all tests of a file; each test leaves it as it was."""

import pytest

from lab import Lab
from world import World


@pytest.fixture(scope="module", name="module_world")
def fixture_module_world():
    with Lab() as lab:
        yield World(lab)


@pytest.fixture(name="world")
def fixture_world(module_world):
    yield module_world
    module_world.close_services()
    assert module_world.computer.devices() == []
