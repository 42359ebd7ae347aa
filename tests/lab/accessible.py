# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks at the programs of a session as a screen reader does, and uses them: `accessible.py
QUESTION`, one of the functions under Questions, with its arguments as a JSON object on standard
input. The answer is the last line of output, JSON as well. Run in the session.

A widget is wanted by the name that its program has on the accessibility bus, its role, and its
name or that of its label; in both * stands for anything."""

import fnmatch
import json
import os
import sys
import time
import traceback
import warnings

warnings.simplefilter("ignore")
import gi  # noqa: E402

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402

DEADLINE = 25  # seconds until somebody who waits gives up
POLL = 0.1
TRIES = 5  # of a look that ends in a crash
TIMEOUT = 3000  # milliseconds that a program may take for an answer,
STARTUP = 5000  # and when it has just started
ACTIONS = ("click", "press", "activate", "toggle")
STATES = ("ENABLED", "SENSITIVE", "FOCUSED", "CHECKED", "INVALID_ENTRY")


def children(node):
    for index in range(node.get_child_count()):
        child = node.get_child_at_index(index)
        if child is not None:
            yield child


def has(node, interface):
    return interface in (node.get_interfaces() or [])


def name_of(node):
    name = node.get_name() or ""
    for relation in node.get_relation_set() if not name else []:
        if relation.get_relation_type() == Atspi.RelationType.LABELLED_BY:
            name = " ".join(relation.get_target(index).get_name()
                            for index in range(relation.get_n_targets()))
    name = name.replace("_", "")
    half = len(name) // 2  # GTK 4.8 calls a button "Add Add"
    return name[:half] if name == f"{name[:half]} {name[:half]}" else name


def text_of(node):
    if not has(node, "Text"):
        return ""
    return Atspi.Text.get_text(node, 0, Atspi.Text.get_character_count(node))


def place_of(node):
    """x, y, width and height in its window."""
    if not has(node, "Component"):
        return None
    box = Atspi.Component.get_extents(node, Atspi.CoordType.WINDOW)
    return box and (box.x, box.y, box.width, box.height)


def is_seen(node, states):
    """GTK 4.8 says SHOWING of windows only, but what is not on the screen has no size."""
    place = place_of(node)
    return states.contains(Atspi.StateType.SHOWING) or (place is not None and min(place[2:]) > 0)


def walk(node):
    """The node and all below it that can be seen, as far as they have not just gone."""
    try:
        states = node.get_state_set()
        if not states.contains(Atspi.StateType.VISIBLE):
            return
        if is_seen(node, states):
            yield node
        for child in list(children(node)):
            yield from walk(child)
    except GLib.Error:
        pass


def seen(program):
    for application in list(children(Atspi.get_desktop(0))):
        try:
            if application.get_name() == program:
                for window in list(children(application)):
                    yield from walk(window)
        except GLib.Error:
            pass


def describe(node):
    states = node.get_state_set()
    return {"role": node.get_role_name(), "name": name_of(node), "text": text_of(node),
            "description": node.get_description() or "", "place": place_of(node),
            "states": [state for state in STATES
                       if states.contains(getattr(Atspi.StateType, state))]}


def is_wanted(node, role, name):
    return (fnmatch.fnmatchcase(node.get_role_name(), role)
            and fnmatch.fnmatchcase(name_of(node), name))


def look(program, role, name, state):
    """All of them, each with its description."""
    for node in seen(program):
        try:
            if is_wanted(node, role, name):
                found = describe(node)
                if not state or state in found["states"]:
                    yield node, found
        except GLib.Error:
            pass


def see(**widget):
    return [found for _node, found in look(**widget)]


def see_all(program):
    found = []
    for node in seen(program):
        try:
            found.append(describe(node))
        except GLib.Error:
            pass
    return found


def press_first(**widget):
    for node, _found in look(state="SENSITIVE", **widget):
        names = [Atspi.Action.get_action_name(node, index)
                 for index in range(Atspi.Action.get_n_actions(node))]
        wanted = [names.index(action) for action in ACTIONS if action in names]
        return Atspi.Action.do_action(node, wanted[0] if wanted else 0)
    return False


def put_first(text, **widget):
    for node, _found in look(state=None, **widget):
        return Atspi.EditableText.set_text_contents(node, text)
    return False


def answer_into(pipe, function, arguments):
    Atspi.init()
    Atspi.set_timeout(TIMEOUT, STARTUP)
    with os.fdopen(pipe, "w") as file:
        json.dump(function(**arguments), file)


def ask(function, **arguments):
    """The answer of a function above, from a process of its own: libatspi remembers what it has
    seen, whether or not it is still so, and may crash over what changes meanwhile."""
    for _try in range(TRIES):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                answer_into(write, function, arguments)
            except Exception:  # pylint: disable=broad-except
                traceback.print_exc()
            finally:
                os._exit(0)  # pylint: disable=protected-access
        os.close(write)
        with os.fdopen(read) as file:
            answer = file.read()
        os.waitpid(pid, 0)
        if answer:
            return json.loads(answer)
    raise SystemExit(f"no answer in {TRIES} tries")


def wait_until(condition, program, what):
    end = time.monotonic() + DEADLINE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            lines = "\n".join(f"{one['role']}: {one['name']} {one['states']}"
                              for one in widgets(program) if one["name"] and one["role"] != "panel")
            raise SystemExit(f"waited {DEADLINE} s in vain for {what}; {program} has\n{lines}")
        time.sleep(POLL)


# ---- Questions ----


def widgets(program):
    return ask(see_all, program=program)


def find(**widget):
    """The first one now, or null."""
    return next(iter(ask(see, state=None, **widget)), None)


def wait(program, role, name, state):
    return wait_until(lambda: ask(see, program=program, role=role, name=name, state=state), program,
                      f"the {role} “{name}” {state or ''}")[0]


def wait_until_gone(program, **widget):
    return wait_until(lambda: not ask(see, program=program, state=None, **widget), program,
                      f"{widget} to go")


def press(program, **widget):
    """Does what it is for."""
    return wait_until(lambda: ask(press_first, program=program, **widget), program,
                      f"{widget} to be pressed")


def put(program, **widget):
    """Types, in one go."""
    return wait_until(lambda: ask(put_first, program=program, **widget), program,
                      f"{widget} to be filled in")


def main():
    print(json.dumps(globals()[sys.argv[1]](**json.load(sys.stdin))))


if __name__ == "__main__":
    main()
