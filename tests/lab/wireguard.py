# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keys and .conf files, as a gateway's administrator makes them: with `wg`."""

import dataclasses
import subprocess


def wg(*argv, stdin=""):
    return subprocess.run(["wg", *argv], input=stdin, capture_output=True, text=True,
                          check=True).stdout.strip()


@dataclasses.dataclass(frozen=True)
class KeyPair:
    private: str
    public: str

    @classmethod
    def generate(cls):
        return cls.of(wg("genkey"))

    @classmethod
    def of(cls, private):
        return cls(private, wg("pubkey", stdin=private + "\n"))


def generate_psk():
    return wg("genpsk")


class Conf:
    """A wg-quick file: [Interface] and [Peer] sections, each a list of (key, value)."""

    def __init__(self, **interface):
        self.sections = [("Interface", interface)]

    def peer(self, **peer):
        self.sections.append(("Peer", peer))
        return self

    def __str__(self):
        lines = []
        for name, values in self.sections:
            lines.append(f"[{name}]")
            lines += [f"{key} = {value}" for key, value in values.items() if value is not None]
            lines.append("")
        return "\n".join(lines)

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(str(self))
        return path
