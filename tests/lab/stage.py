# SPDX-License-Identifier: LGPL-2.1-or-later
"""An installation of Culvert in a folder, as `DESTDIR=... meson install` makes it."""

import os
import shutil
import subprocess


def install(build, stage):
    """Installs the finished build `build`, configured with --prefix=/usr, into the folder
    `stage`, replacing what is there. The files must be nobody else's to write: NetworkManager
    looks."""
    shutil.rmtree(stage, ignore_errors=True)
    os.makedirs(os.path.join(stage, "usr"))  # also when there is nothing to install
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet",
                    "--destdir", os.path.abspath(stage)],
                   check=True, umask=0o022, stdout=subprocess.DEVNULL)
    return stage
