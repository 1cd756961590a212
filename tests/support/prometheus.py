"""A Prometheus of Debian's that scrapes a server, and evaluates the rules that come with it."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from support.daemon import Daemon
from support.fix_peers import require_program
from support.geard_program import wait_until
from support.http_asking import ask
from support.workspace import ROOT

PACKAGE = ROOT / "packages" / "gear-server"
FILES = PACKAGE / "prometheus"
DOCUMENTED = "127.0.0.1:4731"
INTERVAL = "200ms"


def promtool(*arguments: str, stdin: bytes = b"") -> None:
    """Run promtool, which must be content."""
    program = require_program("promtool", "prometheus")
    done = subprocess.run(
        [program, *arguments], input=stdin, capture_output=True, timeout=60, check=False
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert b"FAILED" not in output and not (stdin and output), output


def configure(folder: Path, target: str, files: Path = FILES) -> Path:
    """Write the configuration that comes with the server: for a target, and impatient."""
    config, rules = (files / name for name in ("prometheus.yml", "alerts.yml"))
    text = config.read_text()
    assert DOCUMENTED in text and text.count("_interval: 15s") == 2
    text = text.replace(DOCUMENTED, target).replace("_interval: 15s", f"_interval: {INTERVAL}")
    (folder / config.name).write_text(text)
    text, count = re.subn(r"for: \d+m", "for: 1s", rules.read_text())
    assert count
    (folder / rules.name).write_text(text)
    return folder / config.name


class Prometheus:
    """A Prometheus, in a process of its own.

    Args:
        folder: Where its files go.
        config: Its configuration.

    Attributes:
        port: Where it answers.
    """

    def __init__(self, folder: Path, config: Path) -> None:
        program = require_program("prometheus", "prometheus")
        self._daemon = Daemon(
            [
                program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
                "--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
            ],
            folder / "prometheus.log",
        )  # fmt: skip
        self.port: int = self._daemon.port
        wait_until(self._is_ready, "prometheus is not ready")

    def _is_ready(self) -> bool:
        return ask(self.port, "/-/ready").status == 200

    def get(self, path: str, **query: str) -> Any:
        """Return what it answers."""
        answer = ask(self.port, f"/api/v1/{path}?{urlencode(query)}")
        told = json.loads(answer.body)
        assert told["status"] == "success", (query, told)
        return told["data"]

    def query(self, expression: str) -> list[Any]:
        """Return the series that an expression gives now."""
        found: list[Any] = self.get("query", query=expression)["result"]
        return found

    def wait_for(self, expression: str) -> list[Any]:
        """Wait until an expression gives something."""
        end = time.monotonic() + 60
        while not (found := self.query(expression)):
            assert time.monotonic() < end, expression
            time.sleep(0.1)  # it tells nobody when it has scraped
        return found

    def rules(self) -> list[Any]:
        """Return its rules, and how they fare."""
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]

    def firing(self) -> dict[str, dict[str, str]]:
        """Return the labels of an alert of each name that fires."""
        alerts = self.get("alerts")["alerts"]
        return {
            alert["labels"]["alertname"]: alert["labels"]
            for alert in alerts
            if alert["state"] == "firing"
        }

    def stop(self) -> None:
        """Stop it."""
        self._daemon.stop()
