"""The entry of ``gear-worker``, which says so where the libraries of its extra are missing."""

from gear_wire.cli.missing import explain_missing


def main() -> int:
    """Run the program; returns its exit code."""
    try:
        from gear_worker.cli.command import run_command
    except ModuleNotFoundError as error:
        return explain_missing("gear-worker", error)
    return run_command()
