"""Where the program ``gear-client`` begins; loads its libraries, or says what to install."""

import sys

from gear_wire.cli.missing import explain_missing


def main() -> int:
    """Run the program; returns its exit code."""
    try:
        from gear_client.cli.program import program
        from gear_wire.cli.command import run
    except ModuleNotFoundError as error:
        return explain_missing("gear-client", error)
    return run(program, "gear-client")


if __name__ == "__main__":
    sys.exit(main())
