"""A PostgreSQL of Debian's, run as an unprivileged user, with an empty database for each run."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.environments import SetupError, run
from benchmarks.servers import HOST, START_TIMEOUT, free_port

UNPRIVILEGED = "nobody"
OPTIONS = ("-c", "max_connections=100", "-c", "max_wal_size=4GB")
"""Its defaults but for room: a checkpoint in the middle of a run would count as the queue's."""


class Cluster:
    """A running cluster, which anybody on this machine may use.

    Attributes:
        process: The server.
    """

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._databases = 0
        user = UNPRIVILEGED if os.geteuid() == 0 else None
        if user is not None:
            entry = pwd.getpwnam(user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        data = folder / "data"
        subprocess.run(
            [_program("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N"],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, user=user, cwd="/",
        )  # fmt: skip
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [_program("postgres"), "-D", data, "-p", str(self._port), "-h", HOST, "-k", "",
                 *OPTIONS],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=user, cwd="/",
            )  # fmt: skip

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            SetupError: It does not.
        """
        command = [_program("pg_isready"), "-q", "-h", HOST, "-p", str(self._port)]
        deadline = time.monotonic() + START_TIMEOUT
        while subprocess.run(command, check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SetupError("PostgreSQL does not start")
            time.sleep(0.02)  # another program's start has no event to wait for

    def database(self) -> str:
        """Make an empty database, and return its URL."""
        self._databases += 1
        name = f"run_{self._databases}"
        for words in (["-c", "CHECKPOINT"], ["-c", f"CREATE DATABASE {name}"]):
            run([_program("psql"), "-q", self._url("postgres"), *words])
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@{HOST}:{self._port}/{database}"


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Start a cluster, and stop it at the end.

    Raises:
        SetupError: It is not here, or does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="gear-postgresql-"))
    try:
        cluster = Cluster(folder)
        try:
            cluster.wait()
            yield cluster
        finally:
            cluster.process.send_signal(signal.SIGQUIT)
            cluster.process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    folders = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    found = shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", "")]))
    if found is None:
        raise SetupError(f"{name} is not here: Debian's package postgresql brings it")
    return found
