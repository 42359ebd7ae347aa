#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks at the programs of a session as a screen reader does, and uses them: one question, named
by the argument, with its details as JSON on standard input. The last line of output is the answer.

GTK 4.8 has no action for rows and tabs, and says nothing of where on the screen a window is: those
are clicked with the pointer, at the place that the X server knows."""

import json
import subprocess
import sys
import time
import warnings

warnings.simplefilter("ignore")
import gi  # noqa: E402

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402

DEADLINE = 25
POLL = 0.1
ACTIONS = ("click", "press", "activate", "toggle")


def quietly(function, *arguments, otherwise=None):
    """Widgets come and go while they are looked at."""
    try:
        return function(*arguments)
    except GLib.Error:
        return otherwise


def children(node):
    for index in range(quietly(node.get_child_count, otherwise=0)):
        child = quietly(node.get_child_at_index, index)
        if child is not None:
            yield child


def walk(node):
    yield node
    for child in children(node):
        yield from walk(child)


def named(node):
    """Its name, or that of its label."""
    name = quietly(node.get_name, otherwise="") or ""
    for relation in quietly(node.get_relation_set, otherwise=[]) or []:
        if relation.get_relation_type() == Atspi.RelationType.LABELLED_BY:
            name = name or quietly(relation.get_target(0).get_name, otherwise="")
    name = name.replace("_", "")
    half = len(name) // 2  # GTK 4.8 calls a button "Add Add"
    return name[:half] if name == f"{name[:half]} {name[:half]}" else name


def has(node, interface):
    return interface in (quietly(node.get_interfaces) or [])


def place(node):
    if not has(node, "Component"):
        return None
    box = quietly(Atspi.Component.get_extents, node, Atspi.CoordType.WINDOW)
    return box and (box.x, box.y, box.width, box.height)


def shown(node):
    """GTK 4 has no state for it, but what is hidden has no size."""
    states = quietly(node.get_state_set)
    if states is None or not states.contains(Atspi.StateType.VISIBLE):
        return False
    box = place(node)
    return states.contains(Atspi.StateType.SHOWING) or (box is not None and min(box[2:]) > 0)


def all_shown(app):
    desktop = Atspi.get_desktop(0)
    for program in children(desktop):
        if app.lower() in (quietly(program.get_name, otherwise="") or "").lower():
            yield from (node for node in walk(program) if shown(node))


def text_of(node):
    if not has(node, "Text"):
        return None
    count = quietly(Atspi.Text.get_character_count, node, otherwise=0)
    return quietly(Atspi.Text.get_text, node, 0, count)


def find(app, role, name, index=0):
    end = time.monotonic() + DEADLINE
    while True:
        found = [node for node in all_shown(app)
                 if role in ("", quietly(node.get_role_name)) and named(node) == name]
        if len(found) > index:
            return found[index]
        if time.monotonic() > end:
            raise SystemExit(f"no {role} “{name}” in {app}; there are\n" + "\n".join(dump(app)))
        time.sleep(POLL)


def dump(app):
    return [f"{quietly(node.get_role_name)}: {named(node)!r} {text_of(node)!r} {place(node)}"
            for node in all_shown(app)]


def texts(app):
    return [text for text in (text_of(node) or named(node) for node in all_shown(app)) if text]


def wait(app, role, name):
    find(app, role, name)
    return True


def click(app, role, name, index=0):
    node = find(app, role, name, index)
    if not has(node, "Action"):
        raise SystemExit(f"{role} “{name}” has no action")
    count = Atspi.Action.get_n_actions(node)
    names = [Atspi.Action.get_action_name(node, i) for i in range(count)]
    wanted = [names.index(action) for action in ACTIONS if action in names]
    return Atspi.Action.do_action(node, wanted[0] if wanted else 0)


def tool(*argv):
    return subprocess.run(["xdotool", *map(str, argv)], stdout=subprocess.PIPE, text=True,
                          check=True).stdout


def point(app, role, name, index=0):
    """Clicks with the pointer in the middle of something in the window that is in front."""
    x, y, width, height = place(find(app, role, name, index))
    window = tool("getactivewindow").strip()
    tool("mousemove", "--window", window, x + width // 2, y + height // 2, "click", 1)
    return True


def put(app, role, name, text, index=0):
    """Types, in one go."""
    return Atspi.EditableText.set_text_contents(find(app, role, name, index), text)


def get(app, role, name, index=0):
    return text_of(find(app, role, name, index))


def insensitive(app, role, name):
    states = find(app, role, name).get_state_set()
    return not states.contains(Atspi.StateType.SENSITIVE)


def keys(names):
    tool("key", "--clearmodifiers", *names)
    return True


def main():
    Atspi.init()
    Atspi.set_timeout(3000, 5000)
    arguments = json.load(sys.stdin)
    print(json.dumps(globals()[sys.argv[1]](**arguments)))


main()
