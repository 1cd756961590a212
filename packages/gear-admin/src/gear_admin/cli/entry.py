"""Where the program ``gear-admin`` begins; loads its libraries, or says what to install."""

import sys

from gear_wire.cli.missing import explain_missing


def main() -> int:
    """Run the program; returns its exit code."""
    try:
        from gear_admin.cli.commands import admin
        from gear_wire.cli.command import run
    except ModuleNotFoundError as error:
        return explain_missing("gear-admin", error)
    return run(admin, "gear-admin")


if __name__ == "__main__":
    sys.exit(main())
