# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machine: namespaces in which a whole lab can run, so that what is seen of it from outside, and
what is left of it, can be told from everything else. For the tests of the lab itself."""

import subprocess

# The first process starts the program, and then answers requests, each answer ended by a dot.
SCRIPT = r"""
ip link set lo up
env --default-signal=INT "$@" >&2 &
pid=$!
echo $pid
while read -r request; do
    case $request in
    links) ip -o link | cut -d: -f2 | tr -d ' \n' ;;
    processes) ps -A -o comm= | grep -cvE '^(sh|ps|grep)$' ;;
    mounts) grep -c . /proc/self/mountinfo ;;
    names) ls -A /run/netns 2>/dev/null | tr -d '\n' ;;
    int) kill -INT $pid ;;
    term) kill -TERM $pid ;;
    kill) kill -KILL $pid ;;
    wait) wait $pid; echo $? ;;
    esac
    echo; echo .
done
"""


class Machine:
    """Runs a program; at first that is all there is, besides the listing itself."""

    def __init__(self, *argv, cwd=None, env=None):
        self.process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             "sh", "-c", SCRIPT, "sh", *argv],
            cwd=cwd, env=env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        return "".join(iter(self.process.stdout.readline, ".\n")).strip()

    def until_up(self):
        line = self.process.stderr.readline()
        assert line == "up\n", line + self.process.stderr.read()

    def close(self):
        self.process.kill()
        self.process.communicate()

    def state(self):
        """What a lab must not change."""
        return {what: self.ask(what) for what in ("links", "mounts", "names")}
