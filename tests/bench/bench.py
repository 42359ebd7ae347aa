# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures tunnels against each other, in turns: in each round every one of them. See README.md;
tests/bench/run starts it."""

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import signal
import sys
import time

from lab import Lab, LabError

import activation
import measure
import publish
import report
import search
from peers import DEFAULT, PEERS, Tools

CABLE = "192.0.2.0/24"
BUSY = 0.5  # load average, over the last minute
PUBLISHED_ROUNDS = 3  # at least: the median of fewer is one of them
PING = "ping"  # the kind that is measured before and after each of the others
UP = "up"   # the kind of activation.py, which has a lab of its own
KINDS = [PING, *measure.KINDS, UP]
TITLES = {name: peer.title for name, peer in PEERS.items()}


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is measured: seconds and counts."""
    rounds: int
    tcp_seconds: int
    udp_seconds: float
    udp_trials: int
    pings: int
    loaded_pings: int
    memory_seconds: int

    def estimate(self, peers, kinds):
        """About how many seconds it takes."""
        others = len(set(kinds) & set(measure.KINDS))
        costs = {PING: (1 + others) * 0.006 * self.pings,
                 "tcp": 3 * (self.tcp_seconds + 1.5),
                 "loaded": 0.011 * self.loaded_pings + 2,
                 "udp": len(measure.SIZES) * self.udp_trials * 0.8 * (self.udp_seconds + 0.3)}
        each = 2 + sum(costs[kind] for kind in kinds if kind in costs)
        once = (self.memory_seconds + 2 if "memory" in kinds else 0) + (2 if UP in kinds else 0)
        return peers * (self.rounds * each + once)


FULL = Plan(rounds=3, tcp_seconds=8, udp_seconds=1.0, udp_trials=8, pings=400, loaded_pings=500,
            memory_seconds=60)
QUICK = Plan(rounds=1, tcp_seconds=3, udp_seconds=0.4, udp_trials=6, pings=200, loaded_pings=200,
             memory_seconds=5)


def names(allowed):
    def convert(text):
        chosen = text.split(",")
        unknown = [name for name in chosen if name not in allowed]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(allowed)}")
        return chosen
    return convert


def arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run", description="Measures tunnels.")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="one short round: a rough look")
    parser.add_argument("--peers", type=names(PEERS), default=DEFAULT, metavar="A,B",
                        help="of " + ", ".join(PEERS))
    parser.add_argument("--only", type=names(KINDS), default=KINDS, metavar="A,B",
                        help="of " + ", ".join(KINDS))
    parser.add_argument("--rounds", type=int, help="rounds of all peers; the median counts")
    parser.add_argument("--json", metavar="FILE", help="writes the results there")
    parser.add_argument("--publish", action="store_true",
                        help="puts the results into README.md and its picture")
    parser.add_argument("--force", action="store_true",
                        help="publishes also what is rough: few rounds, or beside other work")
    parser.add_argument("--logs", metavar="FOLDER", help="keeps the programs' logs there")
    return parser.parse_args()


def about(options, plan):
    """Where and how this was measured."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.partition(":")[2].strip() for line in file
                      if line.startswith("model name")), "?")
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(),
            "quick": options.quick, "rounds": plan.rounds, "load_before": os.getloadavg()[0],
            "date": time.strftime("%Y-%m-%d")}


def why_not_published(options, where):
    """None if it would be good enough for README.md."""
    if not options.publish or options.force:
        return None
    if where["quick"]:
        return "--quick is a rough look"
    if where["rounds"] < PUBLISHED_ROUNDS:
        return f"it takes {PUBLISHED_ROUNDS} rounds at least"
    if where["load_before"] > BUSY:
        return f"the machine has other work, a load of {where['load_before']:.1f}"
    return None


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(options, plan, failures):
    """{peer: {figure: [value of each round]}}. What did not work is missing there, and said in
    `failures`."""
    tools = Tools(os.path.abspath(options.build))
    results = {name: {} for name in options.peers}
    if set(options.only) - {UP}:
        tunnels(options, plan, tools, results, failures)
    if UP in options.only:
        names = [name for name in activation.PEERS if name in results]
        with going_on(UP, failures):
            for name, figures in activation.activation(tools.build, names, plan.rounds,
                                                       folder(options, UP)).items():
                results[name] |= figures
    return results


@contextlib.contextmanager
def going_on(what, failures):
    """What has failed does not spoil what was measured before, or will be."""
    try:
        yield
    except AssertionError as error:
        failures.append(f"{what}: {error}")
        say(failures[-1])


def folder(options, name):
    return os.path.join(options.logs, name) if options.logs else None


def tunnels(options, plan, tools, results, failures):
    with Lab(folder(options, "tunnels")) as lab:
        cable = lab.add_host("a"), lab.add_host("b")
        lab.link(*cable, CABLE)
        servers = measure.Servers(cable, tools, options.only)
        for number in range(plan.rounds):
            for name in options.peers:
                with going_on(name, failures), PEERS[name](cable, tools) as peer:
                    one(peer, number, options.only, plan, servers, results[name], failures)
                say(f"round {number + 1}/{plan.rounds} {name}: " + ", ".join(
                    f"{figure} {values[-1]:.4g}" for figure, values in results[name].items()))


def one(peer, number, kinds, plan, servers, figures, failures):
    pings = []

    def ping():
        """The machine's speed changes in seconds: the peer's whole turn is to have a say."""
        if PING in kinds:
            with going_on(f"{peer.title}, {PING}", failures):
                pings.extend(measure.idle(peer, plan))

    ping()
    for kind, function in measure.KINDS.items():
        if kind not in kinds or (kind == "memory" and number > 0):
            continue
        with going_on(f"{peer.title}, {kind}", failures):
            for figure, value in function(peer, plan, servers).items():
                figures.setdefault(figure, []).append(value)
        ping()
    if pings:
        figures.setdefault("ping_us", []).append(search.quantile(sorted(pings), 0.5))


def main():
    options = arguments()
    # Whatever ends us, the lab ends with us; this way its folder goes, too.
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit(143))
    plan = QUICK if options.quick else FULL
    plan = dataclasses.replace(plan, rounds=options.rounds or plan.rounds)
    where = about(options, plan)
    if reason := why_not_published(options, where):
        sys.exit(f"tests/bench/run: not to be published: {reason}. Nothing was measured; --force "
                 "does it all the same.")
    say(f"This takes about {plan.estimate(len(options.peers), options.only) / 60:.0f} min, on "
        f"{where['cpus']} CPUs with a load of {where['load_before']:.1f} before it.")
    if where["load_before"] > BUSY:
        say("The machine has other work: the figures will be rough, and so will their ratios.")
    failures = []
    results = run(options, plan, failures)
    print("\n".join(report.tables(results, TITLES)))
    if options.publish:
        publish.publish(results, TITLES, where)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report.as_json(results, where), file, indent=1)
            file.write("\n")
    if failures:
        sys.exit("\n".join(["Some was not measured:", *failures,
                           "With --logs FOLDER there is more about it."]))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except (AssertionError, LabError) as error:  # with what was tried
        sys.exit(f"tests/bench/run: {error}")
