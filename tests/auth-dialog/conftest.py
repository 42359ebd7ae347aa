# SPDX-License-Identifier: LGPL-2.1-or-later
"""nm-culvert-auth-dialog in a graphical session, on a host without a network. Environment:
CULVERT_AUTH_DIALOG, the program; CULVERT_LOGS, a folder for logs; CULVERT_SHOTS, one for
screenshots."""

import os

import pytest

from dialog import Dialog
from lab import Lab
from lab.session import Session


@pytest.fixture(scope="session")
def session(tmp_path_factory):
    with Lab(os.environ.get("CULVERT_LOGS", tmp_path_factory.mktemp("logs"))) as lab:
        session = Session(lab.add_host("person"))
        session.start()
        yield session


@pytest.fixture
def start(session):
    """Starts the dialog; at the end of the test there is none."""
    started = []

    def start(*args, **kwargs):
        started.append(Dialog(session, *args, **kwargs))
        return started[-1]

    yield start
    for dialog in started:
        dialog.close()
