"""The homes of the demo's targets: files worth looking at, and nothing of the machine's user."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

_BASHRC = """\
PS1='\\[\\e[1;{colour}m\\]{account}@{name}\\[\\e[0m\\]:\\[\\e[34m\\]\\w\\[\\e[0m\\]{mark} '
HISTFILE=$HOME/.bash_history
PROMPT_COMMAND=
alias ls='ls --color=auto' ll='ls -l --color=auto' grep='grep --color=auto'
"""
_POSTGRESQL = """\
# postgresql.conf - db1
listen_addresses = '10.0.0.5'
port = 5432
max_connections = 200
shared_buffers = 4GB
effective_cache_size = 12GB
work_mem = 32MB
maintenance_work_mem = 512MB
wal_level = replica
max_wal_senders = 5
checkpoint_timeout = 15min
log_min_duration_statement = 250
log_line_prefix = '%m [%p] %q%u@%d '
autovacuum = on
autovacuum_max_workers = 4
"""
_SHADOW = """\
root:$6$demo$notarealhashnotarealhashnotarealhash:20100:0:99999:7:::
postgres:$6$demo$alsonotarealhashalsonotarealhash0000:20100:0:99999:7:::
backup:*:20100:0:99999:7:::
"""
_MAKEFILE = """\
OBJECTS = main.o parse.o route.o queue.o cache.o
CFLAGS = -O1 -Wall -Wextra

ledger: $(OBJECTS)
\t$(CC) -o $@ $(OBJECTS)

%.o: %.c ledger.h
\t$(CC) $(CFLAGS) -c -o $@ $<

test: ledger
\t./ledger

clean:
\trm -f ledger $(OBJECTS)
"""
_PART = """\
#include <stdio.h>
#include "ledger.h"

static int {name}_steps(int unused, int depth) {{
    int total = 0;
    for (int i = 1; i <= depth; i++) total += i % 7;
    return total;
}}

int run_{name}(void) {{
    printf("%-8s %d ok\\n", "{name}", {name}_steps(0, {depth}));
    return 0;
}}
"""
_BUILD = """\
#!/bin/sh
# Compiles every module that the machine's own Python brings.
cd "$(dirname "$0")"
for module in json email http logging sqlite3 unittest; do
    echo "compile $module"
    {python} -m compileall -q -f -x test -d "$module" . && sleep 0.4
    echo "  ok $module"
done
echo "build finished"
"""


def environment(home: Path) -> dict[str, str]:
    """Return the whole environment of a program on a target; nothing is inherited."""
    path = f"{PATH}:{Path(sys.executable).parent}"
    return {"PATH": path, "HOME": str(home), "SHELL": shell(home)[0], "LANG": "C.UTF-8"}


def shell(home: Path) -> tuple[str, ...]:
    """Return the interactive shell's arguments: bash where there is one, else sh."""
    bash = shutil.which("bash", path=PATH)
    if bash is None:
        return ("/bin/sh", "-i")
    return (bash, "--noprofile", "--rcfile", str(home / ".bashrc"), "-i")


def furnish(name: str, account: str, home: Path) -> None:
    """Fill the home of `account` on the target `name`; `home` is made, 0700."""
    home.mkdir(mode=0o700, parents=True)
    colour, mark = (31, "#") if account == "root" else (32, "$")
    prompt = _BASHRC.format(colour=colour, mark=mark, account=account, name=name)
    (home / ".bashrc").write_text(prompt)
    (home / "log").mkdir()
    _FURNITURE.get(name, _furnish_edge)(home, random.Random(name))


def _furnish_database(home: Path, chance: random.Random) -> None:
    (home / "postgresql.conf").write_text(_POSTGRESQL)
    (home / "backup").mkdir()
    (home / "backup" / "shadow.bak").write_text(_SHADOW)
    rows = ["id,name,city,iban"]
    for number in range(400):
        city = chance.choice(["Bern", "Graz", "Lyon", "Gent", "Turku", "Porto"])
        rows.append(f"{number},customer-{number},{city},XX00 0000 {chance.randrange(10**8):08d}")
    (home / "customers.csv").write_text("\n".join(rows) + "\n")
    lines = []
    for minute in range(600):
        level = chance.choices(["LOG", "LOG", "WARNING", "ERROR"], [60, 30, 7, 3])[0]
        text = {
            "LOG": f"duration: {chance.randrange(250, 4000)}.{chance.randrange(1000):03d} ms"
            f"  statement: SELECT * FROM orders WHERE id = {chance.randrange(10**6)}",
            "WARNING": f"there is already a transaction in progress (pid {chance.randrange(9999)})",
            "ERROR": f"deadlock detected: process {chance.randrange(9999)} waits for ShareLock",
        }[level]
        lines.append(
            f"2026-11-20 {minute // 60:02d}:{minute % 60:02d}:07 UTC [4711] {level}: {text}"
        )
    (home / "log" / "postgresql.log").write_text("\n".join(lines) + "\n")


def _furnish_web(home: Path, chance: random.Random) -> None:
    (home / "log" / "access.log").write_text("".join(request(chance) for _ in range(200)))
    site = home / "site"
    site.mkdir()
    for page in ("index", "orders", "about", "status"):
        (site / f"{page}.html").write_text(f"<!doctype html>\n<title>{page}</title>\n" * 20)
    (home / "nginx.conf").write_text(
        "worker_processes 4;\nhttp {\n  server {\n    listen 8080;\n    root /srv/site;\n  }\n}\n"
    )


def _furnish_build(home: Path, chance: random.Random) -> None:
    app = home / "app"
    app.mkdir()
    if shutil.which("make", path=PATH) and shutil.which("cc", path=PATH):
        parts = ("parse", "route", "queue", "cache")
        (app / "Makefile").write_text(_MAKEFILE)
        (app / "ledger.h").write_text("".join(f"int run_{part}(void);\n" for part in parts))
        calls = " || ".join(f"run_{part}()" for part in parts)
        (app / "main.c").write_text(
            f'#include "ledger.h"\n\nint main(void) {{ return {calls}; }}\n'
        )
        for part in parts:
            text = _PART.format(name=part, depth=chance.randrange(50, 500))
            (app / f"{part}.c").write_text(text)
    else:
        (app / "build.sh").write_text(_BUILD.format(python=sys.executable))
        (app / "build.sh").chmod(0o755)
        for number in range(6):
            (app / f"part{number}.py").write_text("VALUES = list(range(100))\n" * 40)


def _furnish_edge(home: Path, chance: random.Random) -> None:
    notes = ["Edge host", "=========", ""]
    notes += [f"{number:3d}  rotate the certificate of site {number}" for number in range(1, 120)]
    (home / "notes.txt").write_text("\n".join(notes) + "\n")


_FURNITURE: dict[str, Callable[[Path, random.Random], None]] = {
    "db1": _furnish_database,
    "web1": _furnish_web,
    "build1": _furnish_build,
}


def request(chance: random.Random) -> str:
    """Return one line of a web server's log."""
    path = chance.choice(["/", "/orders", "/api/orders", "/api/cart", "/static/app.css", "/status"])
    status = chance.choices([200, 304, 404, 500], [80, 10, 8, 2])[0]
    where = f"10.0.{chance.randrange(8)}.{chance.randrange(1, 255)}"
    return (
        f'{where} - - "GET {path}?n={chance.randrange(10**5)} HTTP/1.1" '
        f"{status} {chance.randrange(180, 48000)} {chance.random():.3f}s\n"
    )


def append_requests(log: Path, chance: random.Random, limit: int = 2 << 20) -> None:
    """Append what came in just now; a log over `limit` bytes starts anew."""
    flags = os.O_WRONLY | os.O_APPEND
    if log.stat().st_size > limit:
        flags |= os.O_TRUNC
    descriptor = os.open(log, flags)
    try:
        lines = "".join(request(chance) for _ in range(chance.randrange(1, 4)))
        os.write(descriptor, lines.encode())
    finally:
        os.close(descriptor)
