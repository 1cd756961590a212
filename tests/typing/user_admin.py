"""A program that asks servers for their state: what a type checker must make of it."""

# pyright: strict

from typing import ClassVar, assert_type

import gear


class PriorityStatus(gear.AdminRequest):
    """A command that gear has no class for."""

    command: ClassVar[bytes | None] = b"prioritystatus"


def rows() -> int:
    with gear.AdminClient("localhost", 4730, timeout=5) as admin:
        assert_type(admin, gear.AdminClient)
        for function in admin.status():
            assert_type(function.total, int)
            name: bytes = function.function
            print(name, function.running, function.workers)
        for row in admin.workers():
            assert_type(row.address, str)
            print(row.descriptor, row.client_id, [each.decode() for each in row.functions])
        for job in admin.showJobs():
            assert_type(job.queued, bool)
            admin.cancelJob(job.handle)
        assert_type(admin.version(), str)
        assert_type(admin.maxQueue("reverse", 10), None)
        assert_type(admin.jobTimeout("reverse", 60), None)
        assert_type(admin.jobLog("reverse", on=True), None)
        for entry in admin.accessList():
            assert_type(entry.register, str | None)
            admin.grantAccess("invoke", entry.subject, "image.*")
            admin.revokeAccess("all", entry.subject)
        return admin.getPid()


def requests(connection: gear.Connection) -> None:
    status, workers = gear.StatusAdminRequest(), gear.WorkersAdminRequest()
    for request in (status, workers, PriorityStatus(), gear.CancelJobAdminRequest("H:host:1")):
        connection.sendAdminRequest(request)
        assert_type(request.response, bytes | None)
    assert_type([row.total for row in status.rows()], list[int])
    assert_type([row.address for row in workers.rows()], list[str])
    assert_type(gear.VersionAdminRequest().version(), str)
