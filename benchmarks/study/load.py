"""Does the study server lose a vote, or count one twice, when many people vote at once and the server is killed meanwhile?

    python benchmarks/study/load.py [--raters 50] [--seconds 60] [--kills 2] [-o benchmarks/results/study-load.json]

Every rater opens the page, fetches the questions, and answers as fast as the server lets them, fetching both images of each;
whoever has finished comes back as somebody else. As the page does, a rater sends an answer, under the same identifier, until it
is acknowledged; one of twenty is sent once more after that. The server is killed with SIGKILL at even times and started again.
Afterwards the votes on disk are compared, one by one, with those that were acknowledged. Leaves with 1 if they differ.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import shlex
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import httpx
import numpy as np

from genbench.study.design import new_study
from genbench.study.document import Study
from genbench.study.store import kept_votes

LOAD_BEFORE = os.getloadavg()[0]  # 1-minute load average when the script starts; above 0.5 something else was running
QUESTIONS = 100
AGAIN = 0.05  # answers that are sent once more after they were acknowledged
WAIT = 0.1  # seconds before an answer is tried again


@dataclass
class Seen:
    """What the raters saw. votes: (rater, question, choice) by identifier, of those that were acknowledged."""

    votes: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    retries: int = 0
    repeats: int = 0
    refused: list[str] = field(default_factory=list)


class Server:
    """The server in a process of its own, at one port."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        command = [sys.executable, "-m", "genbench", "study", "serve", str(self.folder), "--port", str(self.port), "--quiet"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        assert self.process.stdout is not None
        address = self.process.stdout.readline().strip()
        self.port = int(address.rstrip("/").rpartition(":")[2])
        return address

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()


@contextmanager
def served(folder: Path) -> Iterator[tuple[Server, str]]:
    server = Server(folder)
    try:
        yield server, server.start()
    finally:
        server.kill()


async def patiently(client: httpx.AsyncClient, seen: Seen, method: str, path: str, **content: object) -> httpx.Response:
    """A response, however often the server has to be asked."""
    while True:
        try:
            response = await client.request(method, path, **content)  # type: ignore[arg-type]
            if response.status_code < 500:
                return response
        except httpx.TransportError:
            pass
        seen.retries += 1
        await asyncio.sleep(WAIT)


async def rate(client: httpx.AsyncClient, study: str, number: int, over: asyncio.Event, seen: Seen) -> None:
    """One seat: raters after each other until it is over."""
    chance = random.Random(number)
    person = 0
    while not over.is_set():
        rater = f"r{number}-{person}"
        person += 1
        await patiently(client, seen, "GET", "/")
        session = (await patiently(client, seen, "GET", "/api/session", params={"rater": rater})).json()
        for turn in session["turns"]:
            if over.is_set():
                return
            for side in ("left", "right"):
                await patiently(client, seen, "GET", f"/images/{turn[side]}")
            await answer(client, study, rater, turn["id"], chance, seen)


async def answer(client: httpx.AsyncClient, study: str, rater: str, question: str, chance: random.Random, seen: Seen) -> None:
    identifier, choice = f"{chance.getrandbits(128):032x}", chance.choice(["left", "right"])
    sent = {"id": identifier, "study": study, "rater": rater, "question": question, "choice": choice, "seconds": 1.0}
    begun = time.monotonic()
    response = await patiently(client, seen, "POST", "/api/votes", json=sent)
    if response.status_code != 200 or response.json() != {"kept": True}:
        seen.refused.append(f"{response.status_code} {response.text[:200]}")
        return
    seen.seconds.append(time.monotonic() - begun)
    seen.votes[identifier] = rater, question, choice
    if chance.random() < AGAIN:
        seen.repeats += 1
        await patiently(client, seen, "POST", "/api/votes", json=sent)


async def disturb(client: httpx.AsyncClient, server: Server, seconds: float, kills: int, seen: Seen) -> float:
    """Let the server run for so long in all, and kill it and start it again meanwhile; returns the longest time without one."""
    longest = 0.0
    for _ in range(kills):
        await asyncio.sleep(seconds / (kills + 1))
        stopped = time.monotonic()
        server.kill()
        await asyncio.to_thread(server.start)
        await patiently(client, seen, "GET", "/")
        longest = max(longest, time.monotonic() - stopped)
    await asyncio.sleep(seconds / (kills + 1))
    return longest


async def load(folder: Path, study: Study, raters: int, seconds: float, kills: int) -> tuple[Seen, float, float]:
    seen = Seen()
    over = asyncio.Event()
    limits = httpx.Limits(max_connections=raters + 1, max_keepalive_connections=raters + 1)
    with served(folder) as (server, address):
        async with httpx.AsyncClient(base_url=address, timeout=10, limits=limits) as client:
            await patiently(client, seen, "GET", "/")
            begun = time.monotonic()
            async with asyncio.TaskGroup() as people:
                for number in range(raters):
                    people.create_task(rate(client, study.id, number, over, seen))
                down = await disturb(client, server, seconds, kills, seen)
                over.set()
            took = time.monotonic() - begun
    return seen, took, down


def measure(raters: int, seconds: float, kills: int) -> dict[str, object]:
    """Load a server and compare what it kept with what it acknowledged."""
    chance = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("one", "other"):
            np.savez(root / f"{name}.npz", chance.integers(0, 256, (QUESTIONS, 64, 64, 3), dtype=np.uint8))
        sets = {name: root / f"{name}.npz" for name in ("one", "other")}
        study = new_study("pairwise", sets, root / "study", questions=QUESTIONS, catch=0)
        seen, took, down = asyncio.run(load(root / "study", study, raters, seconds, kills))
        kept = kept_votes(root / "study", study.id)
    stored = {vote.id: (vote.rater, vote.question, vote.choice) for vote in kept}
    return {
        "raters": raters,
        "seconds": round(took, 1),
        "kills": kills,
        "acknowledged": len(seen.votes),
        "stored": len(kept),
        "lost": len(seen.votes.keys() - stored.keys()),
        "doubled": len(kept) - len({(vote.rater, vote.question) for vote in kept}),
        "never acknowledged": len(stored.keys() - seen.votes.keys()),
        "changed": sum(stored.get(identifier) != vote for identifier, vote in seen.votes.items()),
        "refused": len(seen.refused),
        "first refusal": seen.refused[0] if seen.refused else None,
        "retries": seen.retries,
        "sent again": seen.repeats,
        "votes per second": round(len(seen.votes) / took, 1),
        "median latency ms": round(1000 * float(np.median(seen.seconds)), 1),
        "p99 latency ms": round(1000 * float(np.quantile(seen.seconds, 0.99)), 1),
        "worst latency ms": round(1000 * max(seen.seconds), 1),
        "longest without a server ms": round(1000 * down, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raters", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60, help="How long the server runs in all.")
    parser.add_argument("--kills", type=int, default=2, help="How often the server is killed with SIGKILL.")
    parser.add_argument("-o", "--out", type=Path)
    given = parser.parse_args()
    measured = {**machine(), **measure(given.raters, given.seconds, given.kills)}
    text = json.dumps(measured, indent=1)
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n")
    return int(any(measured[key] for key in ("lost", "doubled", "never acknowledged", "changed", "refused")))


def machine() -> dict[str, object]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": shlex.join(["python", "benchmarks/study/load.py", *sys.argv[1:]]),
        "cores": os.cpu_count(),
        "load_before": LOAD_BEFORE,
        "python": platform.python_version(),
        **{package: version(package) for package in ("fastapi", "uvicorn")},
        "sqlite": sqlite3.sqlite_version,
    }


if __name__ == "__main__":
    sys.exit(main())
