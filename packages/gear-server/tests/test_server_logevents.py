"""The table of events, beside the calls that log them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear_server
import gear_wire.loglimit
from gear_server.logevents import EVENTS
from gear_server.logformat import USUAL

SOURCES = [*Path(gear_server.__file__).parent.rglob("*.py"), Path(gear_wire.loglimit.__file__)]
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
PLACE = re.compile(r"%[a-z]")


def is_log_call(call: ast.Call, forwarders: set[str]) -> bool:
    """Tell whether a call logs: by a logger, a limit of lines, or a method with its message."""
    if not isinstance(call.func, ast.Attribute):
        return False
    name = call.func.attr
    if name in {"log", "LogRecord"} | forwarders:
        return True
    return name in LEVELS and ast.unparse(call.func.value).lower().endswith("log")


def messages(file: Path) -> Iterator[tuple[str, str]]:
    """Yield where each message of a file is logged, and the message."""
    tree = ast.parse(file.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    forwarders = {
        function.name
        for function in functions
        if function.name.startswith("_") and "message" in {arg.arg for arg in function.args.args}
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_log_call(node, forwarders):
            where = f"{file.name}:{node.lineno}"
            if any(isinstance(arg, ast.Name) and arg.id == "message" for arg in node.args):
                continue  # whoever calls this method is looked at instead
            literals = [
                arg.value
                for arg in node.args
                if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            ]
            assert literals, f"{where}: {ast.unparse(node)} has a message that is not a literal"
            yield where, literals[0]


LOGGED = [found for file in SOURCES for found in messages(file)]


def test_the_calls_are_found() -> None:
    assert len(LOGGED) > 50


@pytest.mark.parametrize("where, message", LOGGED, ids=[where for where, _ in LOGGED])
def test_every_line_is_an_event(where: str, message: str) -> None:
    assert message in EVENTS


def test_every_event_is_logged() -> None:
    assert set(EVENTS) - {message for _, message in LOGGED} == set()


def test_no_two_events_have_one_name() -> None:
    names = [event.name for event in EVENTS.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("message", EVENTS)
def test_every_argument_has_a_name(message: str) -> None:
    event = EVENTS[message]
    assert len(event.fields) == len(PLACE.findall(message))
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", event.name)
    names = [name for name in event.fields if name]
    assert len(set(names)) == len(names)
    assert not {*names} & {*USUAL, "traceback"}
    assert all(re.fullmatch("[a-z_]+", name) for name in names)
