"""What an import loads: who uses a client pays for no TLS, no asyncio and no server."""

import subprocess
import sys

import pytest

HEAVY = (
    "ssl", "asyncio", "http", "email", "multiprocessing", "uvloop", "gear_server", "opentelemetry",
)  # fmt: skip


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has after running some code."""
    program = f"import sys\n{code}\nprint(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("package", ["gear_wire", "gear_client", "gear_worker", "gear_admin"])
def test_a_package_loads_nothing_heavy_and_none_of_its_siblings(package: str) -> None:
    loaded = loaded_by(f"import {package}")
    assert package in loaded
    assert not loaded & set(HEAVY)
    ours = {name.split(".")[0] for name in loaded if name.startswith("gear")}
    assert ours <= {package, "gear_wire"}


@pytest.mark.parametrize("package", ["gear_client", "gear_worker", "gear_admin"])
def test_the_asyncio_face_is_loaded_when_it_is_named(package: str) -> None:
    name = {"gear_client": "AsyncClient", "gear_worker": "AsyncWorker"}.get(
        package, "AsyncAdminClient"
    )
    assert "asyncio" in loaded_by(f"from {package} import {name}")


def test_tls_is_loaded_when_it_is_used() -> None:
    code = "import gear_client; client = gear_client.Client(); client.addServer('a.invalid')"
    assert "ssl" not in loaded_by(f"{code}; client.shutdown()")


def test_a_name_that_is_not_there() -> None:
    for package in ("gear_client", "gear_worker", "gear_admin"):
        code = f"import {package}\ntry: {package}.Nothing\nexcept AttributeError as e: print(e)"
        assert "'Nothing'" in loaded_by(code)


def test_the_whole_of_gear_is_one_import() -> None:
    loaded = loaded_by("import gear")
    assert {"gear.constants", "gear.acl", "gear_client", "gear_worker", "gear_admin"} <= loaded
