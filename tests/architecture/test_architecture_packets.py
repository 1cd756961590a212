"""Every packet has its method on every face, and every method of gear 0.16 is there."""

import inspect

import pytest

import gear
from gear_wire.handlers import PacketHandlers
from gear_wire.packets import BasePacket
from gear_wire.table import BY_TYPE, PacketInfo

FACES = [gear.Client, gear.Worker, gear.Server]
# The methods that programs written for gear 0.16 may override, on each face.
HANDLERS = """
    handlePacket handleCanDo handleCantDo handleResetAbilities handlePreSleep handleNoop
    handleSubmitJob handleJobCreated handleGrabJob handleNoJob handleJobAssign handleWorkStatus
    handleWorkComplete handleWorkFail handleGetStatus handleEchoReq handleEchoRes handleSubmitJobBg
    handleError handleStatusRes handleSubmitJobHigh handleSetClientID handleCanDoTimeout
    handleAllYours handleWorkException handleOptionReq handleOptionRes handleWorkData
    handleWorkWarning handleGrabJobUniq handleJobAssignUnique handleSubmitJobHighBg
    handleSubmitJobLow handleSubmitJobLowBg handleSubmitJobSched handleSubmitJobEpoch
    handleAdminRequest handleDisconnect
"""


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", HANDLERS.split())
def test_a_handler_of_gear(face: type[PacketHandlers], name: str) -> None:
    parameters = inspect.signature(getattr(face, name)).parameters
    assert len(parameters) == 2


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("info", BY_TYPE.values(), ids=lambda info: info.number.name)
def test_a_packet_has_a_handler(face: type[PacketHandlers], info: PacketInfo) -> None:
    assert list(inspect.signature(getattr(face, info.handler)).parameters) == ["self", "packet"]


def test_no_handler_is_for_a_packet_that_does_not_exist() -> None:
    names = {name for name in vars(PacketHandlers) if name.startswith("handle")}
    assert names == {"handlePacket", *(info.handler for info in BY_TYPE.values())}


def test_every_struct_is_in_the_table() -> None:
    structs = {info.struct for info in BY_TYPE.values()}
    assert set(BasePacket.__subclasses__()) == structs
    assert all(struct.__doc__ for struct in structs)
    configs = [struct.__struct_config__ for struct in structs]
    assert all(config.frozen and not config.gc for config in configs)
