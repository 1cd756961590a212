"""The names that `gear` has: the documented ones, those of gear 0.16 that programs use, our own."""

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType

import pytest

import gear
import gear_wire.constants
from support import workspace

# What the documentation of gear names, in its order.
DOCUMENTED = """
    Client Job Worker FunctionRecord WorkerJob AdminRequest StatusAdminRequest ShowJobsAdminRequest
    ShowUniqueJobsAdminRequest CancelJobAdminRequest VersionAdminRequest Server Connection Packet
    ConnectionError InvalidDataError ConfigurationError NoConnectedServersError UnknownJobError
    InterruptedError PRECEDENCE_NORMAL PRECEDENCE_LOW PRECEDENCE_HIGH constants
"""
# What gear 0.16 had beside it, and programs use.
KEPT = """
    ACL ACLEntry ACLError BaseClient BaseJob BinaryJob BinaryWorkerJob DisconnectError GearmanError
    ServerAdminRequest ServerConnection ServerJob TextJob TextList TextWorker TextWorkerJob
    TimeoutError WorkersAdminRequest acl convert_to_bytes
"""
# What is new.
ADDED = """
    AdminClient App AsyncAdminClient AsyncClient AsyncJob AsyncStreamJob AsyncTypedJob
    AsyncWorker AsyncWorkerJob CallOptions CurrentJob Every Function FunctionOptions
    InvalidArgumentsError JobFailedError JobState Lifespan ProtocolError RemoteError Retries
    Runner RunnerSettings ServerError ServerSettings StreamFunction StreamJob TypedJob
    __version__ current_job run running
"""
NAMES = [*DOCUMENTED.split(), *KEPT.split(), *ADDED.split()]
# The public members of gear 0.16's classes.
MEMBERS = {
    "Client": "addServer waitForServer getConnection submitJob setOption broadcast sendPacket "
    "shutdown reportTimingStats handlePacket handleJobCreated handleWorkComplete handleWorkFail "
    "handleWorkException handleWorkData handleWorkWarning handleWorkStatus handleStatusRes "
    "handleOptionRes handleEchoRes handleError handleDisconnect handleAdminRequest",
    "Worker": "addServer waitForServer getConnection broadcast sendPacket shutdown "
    "registerFunction unRegisterFunction setFunctions getJob stopWaitingForJobs job_class "
    "reportTimingStats handlePacket handleNoop handleNoJob handleJobAssign handleJobAssignUnique "
    "handleError handleDisconnect handleEchoRes handleAdminRequest",
    "Job": "name arguments unique binary_name binary_arguments binary_unique data binary_data "
    "exception data_type",
    "WorkerJob": "name arguments unique binary_name binary_arguments binary_unique sendWorkData "
    "sendWorkWarning sendWorkStatus sendWorkComplete sendWorkFail sendWorkException",
    "AdminRequest": "command getCommand isComplete setComplete waitForResponse",
    "Connection": "connect disconnect reconnect sendRaw sendPacket readPacket hasPendingData "
    "sendAdminRequest echo sendEchoReq handleEchoRes handleOptionRes changeState",
    "Packet": "getArgument getJob toBinary",
    "Server": "shutdown getQueue getJobForConnection wakeConnection wakeConnections sendError "
    "sendNoJob sendJobAssignUniq handlePacket handleAdminRequest handleDisconnect handleStatus "
    "handleWorkers handleCancelJob handleACLList handleACLGrant handleACLRevoke "
    "handleACLSelfRevoke reportTimingStats",
    "ACL": "add remove getEntries canRegister canInvoke canGrant grantInvoke grantRegister "
    "grantGrant revokeInvoke revokeRegister revokeGrant",
    "ACLEntry": "isEmpty canRegister canInvoke setRegister setInvoke setGrant",
}
# What an object has once it is made.
ATTRIBUTES = {
    gear.Job("f", b""): "handle connection complete failure warning numerator denominator "
    "fraction_complete known running",
    gear.WorkerJob(b"H:1", "f", b""): "handle connection",
    gear.FunctionRecord("f"): "name timeout",
    gear.StatusAdminRequest(): "arguments response",
    gear.Packet(gear.constants.REQ, 1, b"f"): "code ptype data connection",
    gear.Connection("localhost"): "host port client_id related_jobs options admin_requests "
    "connected connect_time state use_ssl conn",
}  # fmt: skip


def test_all_names_and_no_others() -> None:
    assert sorted(gear.__all__) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_name(name: str) -> None:
    value = getattr(gear, name)
    if inspect.isclass(value) or inspect.isfunction(value) or inspect.ismodule(value):
        assert value.__doc__, f"gear.{name} says nothing of itself"


@pytest.mark.parametrize(
    ("name", "source"), [("gear.constants", gear_wire.constants), ("gear.acl", gear.acl)]
)
def test_modules_are_imported_by_their_documented_paths(name: str, source: ModuleType) -> None:
    module = importlib.import_module(name)
    assert module is getattr(gear, name.removeprefix("gear."))
    assert [each for each in source.__all__ if not hasattr(module, each)] == []


@pytest.mark.parametrize("name", MEMBERS)
def test_public_members_of_a_class(name: str) -> None:
    cls = getattr(gear, name)
    members = MEMBERS[name].split()
    assert [member for member in members if not hasattr(cls, member)] == []
    functions = [member for member in members if inspect.isfunction(getattr(cls, member))]
    assert [member for member in functions if not inspect.getdoc(getattr(cls, member))] == []


@pytest.mark.parametrize("thing", ATTRIBUTES, ids=lambda thing: type(thing).__name__)
def test_attributes_of_an_object(thing: object) -> None:
    assert [name for name in ATTRIBUTES[thing].split() if not hasattr(thing, name)] == []


@pytest.mark.parametrize("distribution", workspace.FOLDERS)
def test_all_of_a_package_is_there_and_sorted(distribution: str) -> None:
    module = importlib.import_module(workspace.package(distribution))
    names: list[str] = getattr(module, "__all__", [])
    assert [name for name in names if not hasattr(module, name)] == []
    assert len(names) == len(set(names))
    if distribution not in ("gear", "gear-wire"):
        # Who imports the part alone finds there what `gear` has of it.
        theirs = {name for name in names if name != "__version__"}
        assert theirs <= {*gear.__all__, "AsyncJob"}


@pytest.mark.parametrize("file", workspace.sources("gear").values(), ids=lambda file: file.name)
def test_gear_has_no_code_of_its_own(file: Path) -> None:
    tree = ast.parse(file.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert [node for node in ast.walk(tree) if isinstance(node, kinds)] == []


def test_a_name_is_the_same_object_wherever_it_is_imported_from() -> None:
    for distribution in workspace.MEMBERS:
        module = importlib.import_module(workspace.package(distribution))
        for name in getattr(module, "__all__", []):
            if name != "__version__":
                assert getattr(gear, name) is getattr(module, name)
