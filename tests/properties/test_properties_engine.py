"""The engine does what the model does, whatever peers send in whatever order."""

import logging
import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gear_wire import packets as wire
from gear_wire.enums import PacketType
from gear_wire.packets import BasePacket
from gear_wire.types import ClientID, FunctionName, Handle, UniqueKey
from support import gearman_tables
from support.engine_pair import PREFIX, EnginePair

pytestmark = pytest.mark.no_cover
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
NUMBER = 5
NAMES = [FunctionName(name) for name in (b"f", b"g", b"h")]
UNIQUES = [UniqueKey(unique) for unique in (b"", b"", b"-", b"-", b"u", b"v", b"x" * 64, b"x" * 65)]
REDUCERS = [FunctionName(name) for name in (b"", b"r", b"r" * 65)]
CLIENT_IDS = [ClientID(b"me"), ClientID(b"the other")]
SUBMISSIONS: list[type[BasePacket]] = [
    wire.SubmitJob,
    wire.SubmitJobHigh,
    wire.SubmitJobLow,
    wire.SubmitJobBg,
    wire.SubmitJobHighBg,
    wire.SubmitJobLowBg,
]
MORE_THAN_ONE_ARGUMENT = [
    PacketType.SUBMIT_JOB,
    PacketType.SUBMIT_JOB_EPOCH,
    PacketType.SUBMIT_REDUCE_JOB,
    PacketType.CAN_DO_TIMEOUT,
    PacketType.WORK_COMPLETE,
    PacketType.WORK_STATUS,
    PacketType.WORK_DATA,
]
# How often each is done, in proportion.
USUAL = {
    "submit": 6, "submit_epoch": 1, "submit_reduce": 1, "can_do": 2, "pre_sleep": 2, "grab": 6,
    "send_news": 2, "end_job": 3, "wait": 3,
}  # fmt: skip
# What may not happen in a run at all.
DISTURBING = ["cant_do", "leave", "cancel_job", "limit_function", "create_or_drop_function",
              "ask", "send_too_few_arguments"]  # fmt: skip

peers = st.integers(0, NUMBER - 1)
workers = st.integers(0, 2)
clients = st.integers(2, NUMBER - 1)
names = st.sampled_from(NAMES)
uniques = st.sampled_from(UNIQUES)
payloads = st.sampled_from([b"", b"x", b"y\0z"])
picks = st.integers(0, 999)
handles = st.integers(0, 20).map(lambda number: Handle(b"%b:%d" % (PREFIX, number)))
submissions = st.one_of(*[st.builds(kind, names, uniques, payloads) for kind in SUBMISSIONS])
reducing = (names, uniques, st.sampled_from(REDUCERS), st.just(b"aggregate"), payloads)
reduce_submissions = st.one_of(
    st.builds(wire.SubmitReduceJob, *reducing),
    st.builds(wire.SubmitReduceJobBackground, *reducing),
)
abilities = st.one_of(
    st.builds(wire.CanDo, names),
    st.builds(wire.CanDoTimeout, names, st.sampled_from([b"-5", b"0", b"500", b"1500", b"4000"])),
)
inabilities = st.one_of(st.builds(wire.CantDo, names), st.just(wire.ResetAbilities()))
grabs = st.sampled_from([wire.GrabJob(), wire.GrabJobUniq(), wire.GrabJobAll()])
questions = st.one_of(
    st.builds(wire.GetStatus, handles),
    st.builds(wire.GetStatusUnique, uniques),
    st.builds(wire.OptionReq, st.sampled_from([b"exceptions", b"Exceptions", b"other"])),
    st.builds(wire.EchoReq, payloads),
    st.builds(wire.SetClientID, st.sampled_from(CLIENT_IDS)),
    st.sampled_from([wire.AllYours(), wire.Noop(), wire.NoJob()]),
)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Log nothing: there are a thousand lost jobs here, each worth a line elsewhere."""
    caplog.set_level(logging.CRITICAL, "gear.Server")


class EngineAndModel(RuleBasedStateMachine):
    """Two workers, two clients, one peer that is both, and an administrator."""

    pair: EnginePair | None = None

    @initialize(
        job_retries=st.sampled_from([-1, 0, 2]),
        worker_wakeup=st.sampled_from([1, 0, 2]),
        exceptions=st.booleans(),
        busy=st.booleans(),
        short=st.sampled_from([16, 1, 0]),
        known=st.lists(st.tuples(workers, abilities), max_size=6),
        asleep=st.booleans(),
        disturbing=st.sets(st.sampled_from(DISTURBING)),
    )
    def start(
        self,
        job_retries: int,
        worker_wakeup: int,
        exceptions: bool,
        busy: bool,
        short: int,
        known: list[tuple[int, BasePacket]],
        asleep: bool,
        disturbing: set[str],
    ) -> None:
        self.pair = EnginePair(NUMBER, job_retries, worker_wakeup, exceptions, busy, short)
        for who, ability in known:
            self.pair.send(who, ability)
            if asleep:
                self.pair.send(who, wire.PreSleep())
        usual = [name for name, weight in USUAL.items() for _ in range(weight)]
        self.actions = st.sampled_from([*usual, *sorted(disturbing), *sorted(disturbing)])

    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        """One rule, or hypothesis would leave most others out of a run, and little would happen."""
        getattr(self, data.draw(self.actions))(data)

    @property
    def both(self) -> EnginePair:
        assert self.pair is not None
        return self.pair

    # Clients

    def submit(self, data: st.DataObject) -> None:
        self.both.send(data.draw(clients), data.draw(submissions))

    def submit_reduce(self, data: st.DataObject) -> None:
        self.both.send(data.draw(clients), data.draw(reduce_submissions))

    def submit_epoch(self, data: st.DataObject) -> None:
        when = b"%d" % (self.both.now + data.draw(st.sampled_from([-1, 1, 3])))
        packet = wire.SubmitJobEpoch(data.draw(names), data.draw(uniques), when, b"late")
        self.both.send(data.draw(clients), packet)

    def ask(self, data: st.DataObject) -> None:
        self.both.send(data.draw(peers), data.draw(questions))

    def send_too_few_arguments(self, data: st.DataObject) -> None:
        ptype = data.draw(st.sampled_from(MORE_THAN_ONE_ARGUMENT))
        self.both.send_too_few_arguments(data.draw(peers), ptype)

    def leave(self, data: st.DataObject) -> None:
        self.both.replace(data.draw(peers))

    # Workers

    def can_do(self, data: st.DataObject) -> None:
        self.both.send(data.draw(workers), data.draw(abilities))

    def cant_do(self, data: st.DataObject) -> None:
        self.both.send(data.draw(workers), data.draw(inabilities))

    def pre_sleep(self, data: st.DataObject) -> None:
        self.both.send(data.draw(workers), wire.PreSleep())

    def grab(self, data: st.DataObject) -> None:
        """Ask for a job, and sleep without one, as workers do, or do not."""
        who = data.draw(workers)
        answer = self.both.send(who, data.draw(grabs))
        if isinstance(answer, wire.NoJob) and data.draw(picks) % 4:
            self.both.send(who, wire.PreSleep())

    def send_news(self, data: st.DataObject) -> None:
        who, handle = self.some_running(data.draw(picks))
        packets = [
            wire.WorkData(handle, b"part\0of it"),
            wire.WorkWarning(handle, b""),
            wire.WorkStatus(handle, b"1", b"2"),
            wire.WorkStatus(handle, b"07", b"abc"),
        ]
        self.both.send(who, data.draw(st.sampled_from(packets)))

    def end_job(self, data: st.DataObject) -> None:
        who, handle = self.some_running(data.draw(picks))
        packets = [
            wire.WorkComplete(handle, b"do\0ne"),
            wire.WorkComplete(handle, b""),
            wire.WorkFail(handle),
            wire.WorkException(handle, b"oh\0no"),
        ]
        self.both.send(who, data.draw(st.sampled_from(packets)))

    def some_running(self, pick: int) -> tuple[int, Handle]:
        """Return a worker and the handle of a job it has; now and then of any other job."""
        model = self.both.model
        running = [
            (who, Handle(job.handle))
            for who in range(NUMBER)
            for job in model.held(self.both.member(who))
        ]
        if running and pick % 10:
            return running[pick % len(running)]
        return pick % NUMBER, Handle(b"%b:%d" % (PREFIX, pick % (model.submitted + 2)))

    # Administrators

    def cancel_job(self, data: st.DataObject) -> None:
        known = [job.handle for job in self.both.model.jobs]
        self.both.cancel(data.draw(st.sampled_from([*known, b"unknown"])))

    def limit_function(self, data: st.DataObject) -> None:
        name = data.draw(names)
        numbers = data.draw(st.sampled_from([[0], [1], [3], [5, 3, 1], [2, 1], [-1]]))
        line = b"maxqueue %b %b\n" % (name, b" ".join(b"%d" % number for number in numbers))
        expected = gearman_tables.maxqueue(self.both.model, name, numbers)
        assert self.both.ask(line) == [expected]

    def create_or_drop_function(self, data: st.DataObject) -> None:
        name = data.draw(names)
        verb, change = data.draw(st.sampled_from(gearman_tables.CHANGES))
        expected = change(self.both.model, name)
        assert self.both.ask(b"%b function %b\n" % (verb, name)) == [expected]

    # Time

    def wait(self, data: st.DataObject) -> None:
        seconds = data.draw(st.sampled_from([0.04, 0.1, 0.1, 1.0, 4.0]))
        self.both.wait(seconds, late=data.draw(st.booleans()))

    # What holds after each step, and at the end

    @invariant()
    def both_agree(self) -> None:
        self.both.compare_tables()
        self.both.compare_states(UNIQUES[-4:-2])

    def teardown(self) -> None:
        if self.pair is not None and self.pair.agreed:
            self.finish_all(self.pair)
            assert not self.pair.model.jobs
            assert self.pair.all_ended_once()
            self.pair.compare_tables()

    def finish_all(self, pair: EnginePair) -> None:
        """Have all workers end what they have, and one do all that is left."""
        for who in range(NUMBER):
            pair.send(who, wire.ResetAbilities())
            for held in pair.model.held(pair.member(who)):
                pair.send(who, wire.WorkComplete(Handle(held.handle), b"at last"))
        pair.wait(10.0)
        for name in NAMES:
            pair.send(0, wire.CanDo(name))
        while isinstance(job := pair.send(0, wire.GrabJobUniq()), wire.JobAssignUnique):
            pair.send(0, wire.WorkComplete(job.handle, b"done"))


TestEngineAndModel = pytest.mark.timeout(0 if THOROUGH else 400)(EngineAndModel.TestCase)
TestEngineAndModel.settings = settings(
    max_examples=5000 if THOROUGH else 200,
    stateful_step_count=200 if THOROUGH else 80,
    derandomize=not THOROUGH,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
