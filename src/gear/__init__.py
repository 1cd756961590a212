"""Gearman for Python: clients, workers, the administrative protocol and a job server.

Everything documented is here under its documented name; the code is in gear_wire, gear_client,
gear_worker, gear_admin and gear_server.
"""

from gear import acl, constants
from gear.__about__ import __version__
from gear_admin import (
    AdminClient,
    AdminRequest,
    CancelJobAdminRequest,
    ShowJobsAdminRequest,
    ShowUniqueJobsAdminRequest,
    StatusAdminRequest,
    VersionAdminRequest,
    WorkersAdminRequest,
)
from gear_admin.async_client import AsyncAdminClient
from gear_client import (
    BinaryJob,
    Client,
    Job,
    JobState,
    StreamJob,
    TextJob,
    TextList,
    TypedJob,
)
from gear_client.async_client import AsyncClient
from gear_client.async_job import AsyncJob
from gear_client.async_typed import AsyncStreamJob, AsyncTypedJob
from gear_server import (
    ACL,
    ACLEntry,
    ACLError,
    Server,
    ServerAdminRequest,
    ServerConnection,
    ServerJob,
    ServerSettings,
)
from gear_wire.constants import PRECEDENCE_HIGH, PRECEDENCE_LOW, PRECEDENCE_NORMAL
from gear_wire.errors import (
    ConfigurationError,
    ConnectionError,
    DisconnectError,
    GearmanError,
    InterruptedError,
    InvalidDataError,
    JobFailedError,
    NoConnectedServersError,
    ProtocolError,
    ServerError,
    TimeoutError,
    UnknownJobError,
)
from gear_wire.functions import (
    App,
    CallOptions,
    CurrentJob,
    Every,
    Function,
    FunctionOptions,
    InvalidArgumentsError,
    Lifespan,
    RemoteError,
    Retries,
    StreamFunction,
    current_job,
)
from gear_wire.jobs import BaseJob, convert_to_bytes
from gear_wire.link.threads.client import BaseClient
from gear_wire.link.threads.connection import Connection
from gear_wire.packet import Packet
from gear_worker import (
    BinaryWorkerJob,
    FunctionRecord,
    TextWorker,
    TextWorkerJob,
    Worker,
    WorkerJob,
)
from gear_worker.async_job import AsyncWorkerJob
from gear_worker.async_worker import AsyncWorker
from gear_worker.runner import Runner, RunnerSettings, run, running

__all__ = [
    "ACL",
    "PRECEDENCE_HIGH",
    "PRECEDENCE_LOW",
    "PRECEDENCE_NORMAL",
    "ACLEntry",
    "ACLError",
    "AdminClient",
    "AdminRequest",
    "App",
    "AsyncAdminClient",
    "AsyncClient",
    "AsyncJob",
    "AsyncStreamJob",
    "AsyncTypedJob",
    "AsyncWorker",
    "AsyncWorkerJob",
    "BaseClient",
    "BaseJob",
    "BinaryJob",
    "BinaryWorkerJob",
    "CallOptions",
    "CancelJobAdminRequest",
    "Client",
    "ConfigurationError",
    "Connection",
    "ConnectionError",
    "CurrentJob",
    "DisconnectError",
    "Every",
    "Function",
    "FunctionOptions",
    "FunctionRecord",
    "GearmanError",
    "InterruptedError",
    "InvalidArgumentsError",
    "InvalidDataError",
    "Job",
    "JobFailedError",
    "JobState",
    "Lifespan",
    "NoConnectedServersError",
    "Packet",
    "ProtocolError",
    "RemoteError",
    "Retries",
    "Runner",
    "RunnerSettings",
    "Server",
    "ServerAdminRequest",
    "ServerConnection",
    "ServerError",
    "ServerJob",
    "ServerSettings",
    "ShowJobsAdminRequest",
    "ShowUniqueJobsAdminRequest",
    "StatusAdminRequest",
    "StreamFunction",
    "StreamJob",
    "TextJob",
    "TextList",
    "TextWorker",
    "TextWorkerJob",
    "TimeoutError",
    "TypedJob",
    "UnknownJobError",
    "VersionAdminRequest",
    "Worker",
    "WorkerJob",
    "WorkersAdminRequest",
    "__version__",
    "acl",
    "constants",
    "convert_to_bytes",
    "current_job",
    "run",
    "running",
]
