"""A client on gear 0.16: see README.md for what it is asked and what it prints."""

import sys
import threading

import gear

HOST, PORT, COMMAND, *WORDS = sys.argv[1:]
OPTION = dict(word.split("=", 1) for word in WORDS)
PRECEDENCES = {"high": gear.PRECEDENCE_HIGH, "low": gear.PRECEDENCE_LOW}
ENDINGS = {"complete", "fail", "exception"}


SAYING = threading.Lock()


def say(kind: str, data: bytes) -> None:
    with SAYING:
        print(kind, data.hex(), flush=True)


class Client(gear.Client):
    """Prints what it hears, as the handlers of subclasses do."""

    def __init__(self) -> None:
        super().__init__("gear 0.16")
        self.ended = threading.Semaphore(0)
        self.answered = threading.Event()

    def hear(self, kind: str, packet: gear.Packet) -> None:
        say(kind, packet.getArgument(1, True))
        if kind in ENDINGS:
            self.ended.release()

    def handleJobCreated(self, packet: gear.Packet) -> gear.Job:
        say("created", packet.getArgument(0))
        return super().handleJobCreated(packet)

    def handleWorkData(self, packet: gear.Packet) -> gear.Job:
        self.hear("data", packet)
        return super().handleWorkData(packet)

    def handleWorkWarning(self, packet: gear.Packet) -> gear.Job:
        self.hear("warning", packet)
        return super().handleWorkWarning(packet)

    def handleWorkStatus(self, packet: gear.Packet) -> gear.Job:
        say("status", packet.getArgument(1) + b"/" + packet.getArgument(2))
        return super().handleWorkStatus(packet)

    def handleWorkComplete(self, packet: gear.Packet) -> gear.Job:
        self.hear("complete", packet)
        return super().handleWorkComplete(packet)

    def handleWorkException(self, packet: gear.Packet) -> gear.Job:
        self.hear("exception", packet)
        return super().handleWorkException(packet)

    def handleWorkFail(self, packet: gear.Packet) -> gear.Job:
        job = super().handleWorkFail(packet)
        say("fail", b"")
        self.ended.release()
        return job

    def handleStatusRes(self, packet: gear.Packet) -> gear.Job:
        say("state", b" ".join(packet.getArgument(number) for number in range(1, 5)))
        self.answered.set()
        return super().handleStatusRes(packet)


def submit(client: Client, workload: bytes) -> None:
    job = gear.Job(OPTION["function"], workload, OPTION.get("unique"))
    precedence = PRECEDENCES.get(OPTION.get("precedence", ""), gear.PRECEDENCE_NORMAL)
    client.submitJob(job, "background" in OPTION, precedence)


def run(client: Client) -> None:
    submit(client, sys.stdin.buffer.read())
    if "background" not in OPTION:
        client.ended.acquire()


def many(client: Client) -> None:
    count = int(OPTION["count"])
    for number in range(count):
        submit(client, b"job %d" % number)
    for _ in range(count):
        client.ended.acquire()


def state(client: Client) -> None:
    handle = OPTION["handle"].encode()
    packet = gear.Packet(gear.constants.REQ, gear.constants.GET_STATUS, handle)
    client.sendPacket(packet, client.getConnection())
    client.answered.wait()


def ask_option(client: Client) -> None:
    say("option", b"yes" if client.setOption(OPTION["name"], 5) else b"no")


def queues(client: Client) -> None:
    request = gear.StatusAdminRequest()
    client.getConnection().sendAdminRequest(request, 10)
    for line in (request.response or b"").splitlines():
        name, *counts = line.split(b"\t")
        if name == OPTION["function"].encode():
            say("queues", b" ".join(counts))


COMMANDS = {
    "run": run,
    "many": many,
    "state": state,
    "option": ask_option,
    "queues": queues,
}

client = Client()
client.addServer(HOST, int(PORT), OPTION.get("key"), OPTION.get("cert"), OPTION.get("ca"))
client.waitForServer()
if "exceptions" in OPTION:
    client.setOption("exceptions")
COMMANDS[COMMAND](client)
client.shutdown()
