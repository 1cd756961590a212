"""The command line of ``gear-worker``, in this process: what it refuses, tells and lists."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gear_wire.cli.command import run
from gear_wire.errors import ConfigurationError
from gear_wire.link.listen import Listen, find_listen
from gear_worker.cli.addresses import check_health, to_listen
from gear_worker.cli.command import make_command
from gear_worker.cli.configfile import read_toml
from gear_worker.cli.options import OPTIONS, settle

OK, FAILED, USAGE = range(3)
JOBS = """\
import gear_wire.functions as gear

app = gear.App()

@app.every("*/5 * * * *")
@app.function(timeout=3, retries=2, rate=5, concurrency=1)
def sweep() -> None: ...

@app.function("images.resize")
async def resize(image: bytes, width: int) -> bytes: ...

@app.declaration()
def elsewhere(number: int) -> int: ...

number = 7
"""


class Ended:
    """How a command ended, and what it wrote."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


Call = Callable[..., Ended]


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Call:
    """Runs gear-worker in a directory with a module `jobs` of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    for option in OPTIONS.values():
        monkeypatch.delenv(option.env or "-", raising=False)
    (tmp_path / "jobs.py").write_text(JOBS)

    def call(*words: str) -> Ended:
        for known in [name for name in sys.modules if name.split(".")[0] in ("jobs", "broken")]:
            monkeypatch.delitem(sys.modules, known)
        return Ended(run(make_command(), "gear-worker", words), *capsys.readouterr())

    return call


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "name one app as MODULE:APP, or a program with --exec"),
        (("jobs", "more"), "name one app as MODULE:APP, or a program with --exec"),
        (("jobs", "-c", "many"), "concurrency must be a whole number from 1 to 10000, not 'many'"),
        (("jobs", "--grace", "-1"), "grace must be a number from 0 to 31536000, not '-1'"),
        (("jobs", "-s", "x:y:z"), "a server is HOST, HOST:PORT or [IPV6]:PORT, not 'x:y:z'"),
        (("jobs", "--ssl-key", "key.pem"), "TLS needs ssl_key, ssl_cert and ssl_ca"),
        (("jobs", "--timeout", "3"), "--timeout goes with --exec"),
        (("jobs", "--stream"), "--stream goes with --exec"),
        (("--exec", "f"), "--exec needs a program: --exec FUNCTION -- COMMAND"),
        (("--exec", "f", "cat"), "--exec needs a program: --exec FUNCTION -- COMMAND"),
        (("jobs", "--exec", "f"), "--exec needs a program: --exec FUNCTION -- COMMAND"),
        (("jobs", "--exec", "f", "--", "cat"), "'jobs' does not go with --exec, which runs no app"),
        (("jobs", "--", "cat"), "name one app as MODULE:APP, or a program with --exec"),
        (("--", "cat", "more"), "name one app as MODULE:APP, or a program with --exec"),
        (("jobs", "--check", "--schema"), "--check and --schema do not go together"),
        (("jobs", "--json"), "--json goes with --check"),
        (("jobs", "--health", "xx:yy"), "health must be HOST:PORT or a file, not 'xx:yy'"),
        (("jobs", "--health", "[::1]"), "a file of that name is ./[::1]"),
        (("jobs", "--health", ":99999"), "99999"),
        (("jobs", "--metrics", "xx:yy"), "metrics must be HOST:PORT, not 'xx:yy'"),
        (("--exec", "f", "--schedule", "--", "cat"), "--schedule does not go with --exec"),
        (
            ("jobs", "--pool", "fibres"),
            "pool must be one of processes, tasks, threads, not 'fibres'",
        ),
        (("jobs", "--nothing"), "--nothing"),
    ],
)
def test_wrong_usage_is_one_line(call: Call, words: tuple[str, ...], error: str) -> None:
    ended = call(*words)
    assert (ended.code, ended.out) == (USAGE, "")
    assert ended.err.count("\n") == 1
    assert ended.err.startswith("gear-worker: ")
    assert error in ended.err
    assert "see gear-worker --help" in ended.err


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("nothing", "there is no module nothing in {here} or among the installed ones"),
        ("nothing.at.all:app", "there is no module nothing in {here} or among the installed ones"),
        ("jobs.more:app", "there is no module jobs.more in {here} or among the installed ones"),
        ("jobs:application", "jobs has no attribute application; its apps are app"),
        ("jobs:number", "jobs:number is not a gear.App but a int"),
        ("jobs.py", "there is no module jobs.py in {here} or among the installed ones"),
        ("jobs:", "jobs has no attribute"),
        ("a b:app", "an app is MODULE:APP, such as jobs:app, not 'a b:app'"),
    ],
)
def test_an_app_that_is_not_there_is_one_line(
    call: Call, tmp_path: Path, name: str, error: str
) -> None:
    if name == "jobs:":
        assert call(name, "--check").code == OK  # the app's usual name
        return
    ended = call(name, "--check")
    assert (ended.code, ended.out) == (USAGE, "")
    assert ended.err == f"gear-worker: {error.format(here=tmp_path)}\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import not_installed", "ModuleNotFoundError: No module named 'not_installed'"),
        ("1 / 0", "ZeroDivisionError"),
        ("def", "SyntaxError"),
        ("import gear\ngear.App(encoding='xml')", "encoding is 'json' or 'msgpack'"),
        (
            "import gear\napp = gear.App()\n"
            "@app.every('61 * * * *')\n@app.function()\ndef f() -> None: ...",
            "f: '61 * * * *' is not a cron expression: the minute is from 0 to 59, not '61'",
        ),
    ],
)
def test_what_a_users_module_raises_has_the_users_traceback(
    call: Call, tmp_path: Path, source: str, said: str
) -> None:
    (tmp_path / "broken.py").write_text(source.replace("import gear\n", _GEAR))
    ended = call("broken", "--check")
    assert ended.code == FAILED
    assert str(tmp_path / "broken.py") in ended.err
    assert said in ended.err
    assert "importlib" not in ended.err
    assert "gear_worker" not in ended.err
    assert ended.err.endswith("gear-worker: broken could not be imported\n")


_GEAR = "import gear_wire.functions as gear\n"


def test_check_lists_the_functions(call: Call) -> None:
    ended = call("jobs:app", "--check")
    assert (ended.code, ended.err) == (OK, "")
    assert [line.split() for line in ended.out.splitlines()] == [
        ["function", "runs", "here", "timeout", "retries", "rate", "concurrency", "every"],
        ["sweep", "yes", "3", "2", "5", "1", "*/5", "*", "*", "*", "*"],
        ["images.resize", "yes", "-", "0", "-", "-"],
        ["elsewhere", "no", "-", "0", "-", "-"],
    ]


def test_check_lists_the_functions_as_json(call: Call) -> None:
    ended = call("jobs", "--check", "--json")
    first, second, third = map(json.loads, ended.out.splitlines())
    assert (first["function"], first["every"], first["rate"]) == ("sweep", ["*/5 * * * *"], 5)
    assert (second["function"], second["runs here"]) == ("images.resize", True)
    assert (third["function"], third["runs here"]) == ("elsewhere", False)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("@app.function()\ndef f(x) -> None: ...", "f: "),
        ('@app.every("0 0 30 2 *")\n@app.function()\ndef f() -> None: ...', "that is ever due"),
    ],
)
def test_check_finds_what_would_fail_later(
    call: Call, tmp_path: Path, source: str, said: str
) -> None:
    (tmp_path / "broken.py").write_text(f"{_GEAR}app = gear.App()\n{source}\n")
    ended = call("broken", "--check")
    assert ended.code == USAGE
    assert ended.err.count("\n") == 1
    assert said in ended.err


# Where options come from


def test_the_command_line_counts_most_then_the_file_then_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "worker.toml"
    file.write_text(
        '[gear-worker]\nserver = ["one", "two:1"]\nconcurrency = 5\nlog-level="error"\n'
    )
    environ = {
        "GEAR_WORKER_CONCURRENCY": "3", "GEAR_WORKER_GRACE": "7", "GEARMAN_SERVERS": "three,four",
        "GEAR_WORKER_SCHEDULE": "true", "GEAR_WORKER_POOL": "",
    }  # fmt: skip
    options = settle({"log_level": "debug"}, read_toml(str(file)), environ)
    assert options.log_level == "debug"
    assert options.schedule
    settings = options.settings
    assert (settings.concurrency, settings.grace, settings.pool) == (5, 7, "threads")
    assert settings.servers == ("one", "two:1")
    assert settle({}, {}, environ).settings.servers == ("three", "four")


def test_each_option_has_a_variable_of_its_name() -> None:
    for option in OPTIONS.values():
        if option.env and option.name != "server":
            assert option.env == f"GEAR_WORKER_{option.name}".replace("-", "_").upper()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[gear-worker]\nconcurency = 5", "unknown key concurency; did you mean concurrency?"),
        ("[gear-worker]\nconcurrency = 0", "concurrency must be a whole number from 1 to 10000"),
        ("[gear-worker]\ncheck = true", "check is allowed on the command line only"),
        ("[worker]\n", "options belong in a table, under a line [gear-worker]"),
        ("gear-worker = 3", "options belong in a table, under a line [gear-worker]"),
        ("[gear-worker", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, error: str) -> None:
    file = tmp_path / "worker.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=re.escape(error)) as caught:
        read_toml(str(file))
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there(call: Call) -> None:
    ended = call("jobs", "--config", "nothing.toml")
    assert ended.code == USAGE
    assert "cannot read the configuration file nothing.toml: No such file" in ended.err


def test_a_wrong_variable_is_named(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEAR_WORKER_GRACE", "long")
    assert "environment variable GEAR_WORKER_GRACE: grace must be" in call("jobs").err


def test_addresses() -> None:
    assert find_listen("127.0.0.1:80") == Listen("127.0.0.1", 80)
    assert find_listen("[::1]:80") == Listen("::1", 80)
    assert find_listen(":0") == Listen(None, 0)
    assert find_listen("/run/worker:1") is None
    assert find_listen("healthy") is None
    for wrong in ("healthy", "host:99999", "host:x"):
        with pytest.raises(ConfigurationError):
            to_listen(wrong)
    for file in ("healthy", "/run/worker:one", "./xx:yy"):
        assert check_health(file) == file


# What it says of itself


def test_help_has_every_option_and_examples(call: Call) -> None:
    ended = call("--help")
    assert ended.code == OK
    for option in OPTIONS.values():
        assert f"--{option.name}" in ended.out
    assert "Examples:\n  gear-worker jobs " in ended.out
    assert "Exit codes:" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_version(call: Call) -> None:
    assert re.fullmatch(r"gear-worker \d+\.\d+\.\d+\n", call("--version").out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(call: Call, shell: str) -> None:
    assert "_GEAR_WORKER_COMPLETE" in call("--completion", shell).out


def test_help_loads_neither_asyncio_nor_what_talks_to_servers() -> None:
    program = (
        "import sys; from gear_worker.cli.command import run_command\n"
        "run_command(['--help']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    heavy = {"asyncio", "ssl", "rich", "cronsim", "watchfiles", "prometheus_client"}
    assert not loaded & {*heavy, "gear_worker.worker", "gear_wire.functions", "tomllib", "difflib"}


# Without what an extra brings


def run_without(module: str, *words: str) -> tuple[int, str]:
    """Run gear-worker where a library is not installed; returns its exit code and what it says."""
    program = (
        f"import sys; sys.modules[{module!r}] = None; sys.argv[0] = 'gear-worker'\n"
        "from gear_worker.cli.entry import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        ("click", (), "click is missing: pip install 'gear-worker[cli]'"),
        (
            "prometheus_client",
            ("jobs", "--metrics", ":0"),
            "--metrics needs prometheus_client: pip install 'gear-worker[metrics]'",
        ),
        (
            "watchfiles",
            ("jobs", "--reload"),
            "--reload needs watchfiles: pip install 'gear-worker[reload]'",
        ),
        (
            "cronsim",
            ("jobs", "--check"),
            "sweep: cron expressions need cronsim: pip install 'gear-worker[cli]'",
        ),
    ],
)
def test_a_library_that_is_missing_is_named(
    call: Call, module: str, words: tuple[str, ...], said: str
) -> None:
    assert run_without(module, *words) == (USAGE, f"gear-worker: {said}\n")
