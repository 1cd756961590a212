"""Names: camelCase is 0.16's, and of what stands beside its methods on the public faces."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTED = set((ROOT / "tests/compat/members_0_16.txt").read_text().split())
UNDOCUMENTED = {
    "_defaultPacketHandler",
    "_lostConnection",
    "_onActiveConnection",
    "_onConnect",
    "_sendCanDo",
    "_sendCanDoTimeout",
    "_sendCantDo",
    "_sendGrabJobUniq",
    "_sendPreSleep",
    "_sendResetAbilities",
}
"""What 0.16 did not document, but programs call and override."""
NEIGHBOURS = {
    "accessList",
    "canAdmin",
    "canSee",
    "cancelJob",
    "createFunction",
    "dropFunction",
    "getPid",
    "getStatus",
    "getStatusByUnique",
    "grantAccess",
    "grantAdmin",
    "grantSee",
    "handleGetStatusUnique",
    "handleGrabJobAll",
    "handleJobAssignAll",
    "handleStatusResUnique",
    "handleSubmitReduceJob",
    "handleSubmitReduceJobBackground",
    "isListed",
    "jobLog",
    "jobTimeout",
    "maxQueue",
    "priorityStatus",
    "revokeAccess",
    "revokeAdmin",
    "revokeOwnAccess",
    "revokeSee",
    "setAdmin",
    "setEntries",
    "setSee",
    "showCounters",
    "showFunctions",
    "showJobs",
    "showUniqueJobs",
    "waitFor",
}
"""What was added on the faces whose other methods are 0.16's."""


def functions() -> Iterator[tuple[str, str]]:
    """Yield where each function is, and its name."""
    for file in sorted(ROOT.glob("packages/*/src/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node.name


def test_what_is_not_0_16s_is_in_snake_case() -> None:
    allowed = DOCUMENTED | UNDOCUMENTED | NEIGHBOURS
    odd = [
        f"{where} {name}"
        for where, name in functions()
        if re.search("[a-z][A-Z]", name) and name not in allowed
    ]
    assert odd == []


def test_each_exception_to_it_is_there() -> None:
    assert {name for _, name in functions()} >= UNDOCUMENTED | NEIGHBOURS
