"""All that must hold of an engine's state between two calls, found out by walking all of it."""

from collections import Counter

from gear_server.engine.engine import Engine
from gear_server.engine.ledger import JOB_SIZE as SIZE
from gear_server.engine.ledger import Ledger
from gear_server.engine.limits import CLIENT_SIZE, JOB_SIZE, TIMER_SIZE
from gear_server.engine.queues import IDLE_FUNCTIONS
from gear_server.engine.state import Function, Peer, ServerJob
from gear_server.engine.tally import Tally

COUNTED_TWICE = [
    "completed", "joined", "failed", "requeued", "exhausted", "cancelled", "timed_out", "abandoned",
    "restored", "moved",
]  # fmt: skip
"""What is counted for the server, and for each function."""


def audit(engine: Engine) -> None:
    """Compare what the engine has counted and indexed with what is there.

    Raises:
        AssertionError: A counter is not what it counts, or a thing is in two places or in none.
    """
    jobs = engine.jobs.values()
    for handle, job in engine.jobs.items():
        assert job.handle == handle
        _check_job(engine, job)
    for function in engine.queues.functions.values():
        _check_queues(engine, function)
    for peer in engine.peers:
        _check_peer(engine, peer)
    _check_functions(engine)
    running = sum(job.holder is not None for job in jobs)
    waiting = sum(job.queue is not None for job in jobs)
    assert engine.running == running, f"{engine.running} jobs are said to run, {running} do"
    aside = _check_aside(engine)
    waiting -= aside
    assert engine.queues.waiting == waiting, f"{engine.queues.waiting} said to wait, {waiting} do"
    assert engine.running + engine.queues.waiting + aside + len(engine.epochs.jobs) == len(jobs)
    assigned = sum(len(peer.assigned) for peer in engine.peers)
    assert assigned == running or (engine.chores and assigned < running)
    assert set(engine.scheduler.grabs) == {
        peer for peer in engine.peers if peer.pending_grab is not None
    }
    check_counters(engine)
    _check_limits(engine)
    if engine.ledger is not None:
        _check_ledger(engine, engine.ledger)


def _may_be(engine: Engine, peer: Peer) -> bool:
    """Whether a connection is there, or one that is lost is still being cleaned up after."""
    return peer in engine.peers or bool(engine.chores)


def _check_job(engine: Engine, job: ServerJob) -> None:
    places = (job.queue is not None) + (job.holder is not None) + (job in engine.epochs.jobs)
    assert places == 1, f"{job!r} is in {places} places"
    assert engine.queues.functions.get(job.name) is job.function
    if job.holder is None:
        assert job.has_owner, f"{job!r} is kept for nobody"
    else:
        assert _may_be(engine, job.holder), f"{job!r} runs on a connection that is lost"
        assert job.holder.assigned.get(job.handle) is job
    for client, times in job.clients.items():
        assert times > 0
        assert _may_be(engine, client), f"a connection that is lost waits for {job!r}"
        assert client.submitted.get(job.handle) is job
    if job.unique and job.has_owner and (job.unique != b"-" or job.arguments):
        found = engine.uniques.find(job.function, job.unique, job.arguments)
        # Two of one unique may meet when jobs are taken over: one of them is found while it lasts.
        assert found is job or engine.counters.restored, f"{found!r} is found instead of {job!r}"


def _check_aside(engine: Engine) -> int:
    """Return how many jobs are set aside."""
    aside = engine.queues.aside
    before = None
    for count, job in enumerate(aside, 1):
        assert job.queue is aside and job.previous is before and count <= aside.count
        assert engine.jobs.get(job.handle) is job and job.background
        before = job
    assert aside.last is before and sum(1 for _ in aside) == aside.count
    return aside.count


def _check_queues(engine: Engine, function: Function) -> None:
    for precedence, queue in enumerate(function.queues):
        count = 0
        before = None
        marked = queue.mark is None
        for job in queue:
            assert job.queue is queue and job.function is function
            assert job.previous is before
            assert job.precedence == precedence
            assert engine.jobs.get(job.handle) is job
            marked = marked or job is queue.mark
            before, count = job, count + 1
        assert marked, f"{queue.mark!r} is not queued"
        assert queue.last is before
        assert queue.count == count
        assert (function in engine.queues.ready[precedence]) == (count > 0)


def _check_peer(engine: Engine, peer: Peer) -> None:
    for handle, job in peer.assigned.items():
        assert engine.jobs.get(handle) is job and job.holder is peer
    for handle, job in peer.submitted.items():
        assert engine.jobs.get(handle) is job and peer in job.clients
    can_do = {ability.function for ability in peer.abilities.values()}
    for name, ability in peer.abilities.items():
        function = ability.function
        assert engine.queues.functions.get(name) is function
        assert (peer in function.sleepers) != (function in peer.absent)
    assert peer.absent <= can_do
    if peer.sleeping:
        assert not peer.absent, f"{peer!r} sleeps, and would not be found"
        assert peer.pending_grab is None and peer.notified_for is None
    if peer.notified_for is not None:
        assert peer.notified_for in can_do
    for precedence, search in peer.searches.items():
        ready = engine.queues.ready[precedence]
        assert search.found.keys() <= can_do
        for function in can_do & ready.keys():
            assert function in search.found or ready[function] > search.seen
    outboxes = engine.outboxes
    waits = peer.closing or peer.answer is not None or outboxes.crowds(peer)
    assert peer.halted or not waits
    if peer.sendable:
        will_be_sent = peer.needs_flush or (peer.deferred and engine.deferred)
        assert will_be_sent, f"nobody sends what is queued for {peer!r}"


def _check_functions(engine: Engine) -> None:
    functions = engine.queues.functions
    total = Counter(job.name for job in engine.jobs.values())
    running = Counter(job.name for job in engine.jobs.values() if job.holder is not None)
    workers = Counter(name for peer in engine.peers for name in peer.abilities)
    cleaning = bool(engine.chores)
    for name, function in functions.items():
        assert function.name == name
        counted = function.total, function.running
        assert counted == (total[name], running[name]), f"{name!r}: {counted}"
        assert function.workers == workers[name] or (cleaning and function.workers > workers[name])
        for peer in function.sleepers:
            assert _may_be(engine, peer) and name in peer.abilities
        for peer in function.notified:
            assert peer in engine.peers and peer.notified_for is function
        if function.queued() and not engine.scheduler.paused:
            looked_for = function.recheck_scheduled or function in engine.scheduler.to_wake
            asleep = any(peer.sleeping for peer in function.sleepers)
            assert looked_for or not asleep or cleaning, (
                f"a worker sleeps while jobs of {name!r} wait for it"
            )
        for arguments, job in function.workloads.items():
            assert engine.jobs.get(job.handle) is job and job.arguments == arguments
    for ready in engine.queues.ready:
        for function in ready:
            assert functions.get(function.name) is function
        assert list(ready.values()) == sorted(set(ready.values()))


def check_counters(engine: Engine) -> None:
    """Check that all that was counted adds up."""
    counters = engine.tallies.read(len(engine.jobs))
    functions = engine.queues.functions.values()
    total = Tally()
    total.add(engine.queues.forgotten)
    for function in functions:
        _check_tally(engine, function)
        total.add(function.tally)
    submitted = total.ended - total.restored + len(engine.jobs)
    assert submitted == counters.submitted, f"{submitted} were submitted: {counters}"
    for name in COUNTED_TWICE:
        counted, told = getattr(total, name), getattr(counters, name)
        assert counted == told, f"{counted} {name} by function: {counters}"
    assert total.refused >= counters.over_max_jobs + counters.over_max_memory
    assert sum(total.waited) == sum(total.ran) + engine.running
    received = sum(engine.packets.values())
    assert received >= sum(total.waited) or engine.scheduler.choose != engine.scheduler.next_job


def _check_tally(engine: Engine, function: Function) -> None:
    """Check that each job of a function that is gone has ended once, in one way."""
    tally, jobs = function.tally, [job for job in engine.jobs.values() if job.function is function]
    cancelled = [job for job in jobs if job in engine.tallies.cancelled]
    assert tally.cancelling == len(cancelled)
    assert all(job.holder is not None and not job.has_owner for job in cancelled)
    assert function.scheduled == sum(job in engine.epochs.jobs for job in jobs)
    assert function.aside == sum(job.queue is engine.queues.aside for job in jobs)
    numbers = (tally.completed, function.submitted, tally.cancelled - tally.cancelling)
    assert min(numbers) >= 0, f"{function.name!r}: {numbers}"
    assert sum(tally.waited) == sum(tally.ran) + function.running
    assert tally.running_time >= 0 and tally.waiting_time >= 0
    assert all(job.started_at <= engine.now for job in jobs)


def _size(engine: Engine, job: ServerJob) -> int:
    size = JOB_SIZE + len(job.arguments) + len(job.unique or b"") + CLIENT_SIZE * len(job.clients)
    timed = job in engine.epochs.jobs or job in engine.timeouts.jobs
    return size + (TIMER_SIZE if timed else 0)


def _check_limits(engine: Engine) -> None:
    settings, functions = engine.settings, engine.queues.functions.values()
    used = sum(_size(engine, job) for job in engine.jobs.values())
    assert engine.limits.used == used, f"{engine.limits.used} bytes are counted, {used} are used"
    registrations = sum(len(peer.abilities) for peer in engine.peers)
    counted = engine.scheduler.registrations
    assert counted == registrations or (engine.chores and counted > registrations)
    assert counted <= settings.max_registrations
    # Jobs that ended right before a crash come back beside those that came for them.
    assert len(engine.jobs) <= settings.max_jobs or engine.counters.restored
    assert len(functions) <= settings.max_functions
    assert sum(function.idle for function in functions) <= IDLE_FUNCTIONS
    # What a job takes beside its arguments may go over, or workers could not go on.
    largest = JOB_SIZE + TIMER_SIZE + CLIENT_SIZE + settings.max_name_size
    held = used - TIMER_SIZE * engine.running
    assert held <= settings.max_memory + largest or engine.counters.restored
    for peer in engine.peers:
        assert len(peer.abilities) <= settings.max_functions_per_worker


def _check_ledger(engine: Engine, ledger: Ledger) -> None:
    background = {job for job in engine.jobs.values() if job.background}
    assert ledger.jobs == len(background), f"{ledger.jobs} said to be kept, {background} are"
    pages = [page for page in (ledger._writing, ledger._open) if page is not None]
    held: dict[Peer, list[list[bytes]]] = {}
    for page in pages:
        assert page.added.keys() <= background
        for peer, pledge in page.pledges.items():
            assert peer in engine.peers
            assert pledge.answers or ledger.failure is not None
            held.setdefault(peer, []).append(pledge.parts)
    assert ledger._open.size == sum(len(job.arguments) + SIZE for job in ledger._open.added)
    for peer in engine.peers:
        assert peer.held == (peer in held)
        if peer.held:
            parts = held[peer]
            assert peer.outbox is parts[-1]
            counted = [*parts[:-1], parts[-1][: peer.counted]]
            assert peer.held_size == sum(len(data) for part in counted for data in part)
        else:
            assert peer.held_size == 0
