# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dialog: nm-culvert-auth-dialog and the agent that talks to it."""

import os
import subprocess
import uuid

SERVICE = "org.freedesktop.NetworkManager.culvert"
PROGRAM = os.environ["CULVERT_AUTH_DIALOG"]
NAME = SERVICE  # on the accessibility bus


def question(data, secrets):
    """A connection as agents write it."""
    lines = []
    for kind, items in (("DATA", data), ("SECRET", secrets)):
        for key, value in (items or {}).items():
            lines += [f"{kind}_KEY={key}", f"{kind}_VAL={value}", ""]
    return "\n".join([*lines, "DONE", ""])


class Dialog:
    def __init__(self, session, *options, data=None, secrets=None, id=None, **env):
        self.session = session
        self.id = id or str(uuid.uuid4())
        argv = [PROGRAM, "-u", self.id, "-n", "office", "-s", SERVICE, *options]
        self.process = subprocess.Popen(
            session.host.argv(argv), env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8",
                                          "G_MESSAGES_DEBUG": "all"} | session.env | env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.write(question(data, secrets))

    def write(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def answer(self):
        """The lines of the answer, up to the empty lines that end it."""
        lines = []
        while lines[-2:] != ["", ""]:
            line = self.process.stdout.readline()
            assert line, f"no answer: {lines}, {self.process.stderr.read()}"
            lines.append(line.rstrip("\n"))
        return lines[:-2]

    def end(self, text=""):
        """Says `text`; the exit status, and what else came on both streams."""
        output, complaint = self.process.communicate(text, timeout=15)
        assert not [line for line in complaint.splitlines() if "CRITICAL" in line], complaint
        return self.process.returncode, output, complaint

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    # ---- The window

    def wait(self, role, name, state=None):
        return self.session.wait_for_widget(NAME, role, name, state)

    def find(self, role, name):
        return self.session.find(NAME, role, name)

    def wait_until_gone(self, role, name):
        self.session.wait_until_gone(NAME, role, name)
