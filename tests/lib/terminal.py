# SPDX-License-Identifier: Apache-2.0
"""People at a terminal in a laptop deployment: everybody acts with a key file of their own, and nobody is named."""

import json
import subprocess
from pathlib import Path

from lib.pier import command_line

FOUNDERS = {
    "sys": ("operator", "sysadmin"),
    "sec": ("bureau", "secadmin"),
    "first": ("bureau", "assessor"),
    "second": ("bureau", "assessor"),
    "officer": ("bureau", "officer, signatory, steward"),
}


class Shell:
    """People at one terminal, each with a key file of their own; every passphrase is `<name> keeps this`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.public: dict[str, str] = {}

    def run(self, *words: str, by: str = "", given: dict | None = None, status: int = 0, passphrase: str = "") -> dict:
        """Type a command, acting as `by`; read what it prints as data."""
        typed, said = list(words), json.dumps(given) if given else ""
        if by:
            typed += ["--key", f"{by}.pem", "--passphrase-fd", "0"]
        if by or passphrase:
            said = f"{passphrase or by + ' keeps this'}\n{said}"
        home = [] if words[:3] == ("people", "key", "new") else ["--home", "pier"]
        ran = subprocess.run(
            command_line(*typed, *home, "--json"),
            cwd=self.folder,
            input=said,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            start_new_session=True,  # no terminal: nothing can be typed
        )
        assert ran.returncode == status, ran.stdout + ran.stderr
        return json.loads(ran.stdout) if status in {0, 1, 3, 4} or ran.stdout.startswith("{") else {}

    def printed(self, *words: str) -> str:
        """Type a command that anybody may give; return what people read of it."""
        words = (*command_line(*words), "--home", "pier")
        ran = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=120, check=True)
        return ran.stdout

    def make_key(self, name: str) -> str:
        """Let somebody make a key file; return the public half."""
        words = command_line("people", "key", "new", f"{name}.pem", "--passphrase-fd", "0", "--json")
        ran = subprocess.run(
            words, cwd=self.folder, input=f"{name} keeps this\n", capture_output=True, text=True, timeout=60, check=True
        )
        self.public[name] = json.loads(ran.stdout)["public"]
        return self.public[name]

    def refused(self, *words: str, status: int = 3, **how: object) -> list[str]:
        """Type a command that is refused; return the codes."""
        return [one["code"] for one in self.run(*words, status=status, **how)["reasons"]]  # type: ignore[arg-type]

    def file(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return name


def register_text(shell: Shell) -> str:
    people = [
        f"  - {{id: {name}, organisation: {where}, name: {name}, natural: card of {name}, public: {shell.public[name]}, roles: [{roles}]}}"
        for name, (where, roles) in FOUNDERS.items()
    ]
    return "\n".join(
        [
            "organisations:",
            "  - {id: bureau, kind: authority, name: 数据局, code: 11370200MB2F00001J}",
            "  - {id: operator, kind: operator, name: 运营公司, code: 91370200MA3QDQH018}",
            "people:",
            *people,
        ]
    )


def founded(folder: Path) -> Shell:
    """A laptop deployment with its first people."""
    shell = Shell(folder)
    shell.run("init", "--profile", "laptop", "--origin", "zhanqiao.test/log")
    for name in FOUNDERS:
        shell.make_key(name)
    shell.file("register.yaml", register_text(shell))
    assert shell.run("people", "found", "register.yaml") == {"status": "founded", "organisations": 2, "people": 5}
    return shell
