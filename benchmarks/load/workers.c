#include "workers.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "options.h"

typedef struct { bool asleep, settled; } Worker;

Crew crew;

static void grab(Connection *connection)
{
    if (crew.budget > 0) {
        crew.budget--;
        packet(connection, GRAB_JOB_UNIQ, 0);
    } else {
        packet_text(connection, GET_STATUS, PROBE);
    }
}

static void work(Connection *connection, const uint8_t *body, size_t length)
{
    const uint8_t *end = body + length;
    const uint8_t *payload = body;
    size_t handle = strnlen((const char *)body, length) + 1;
    for (int i = 0; i < 3 && payload < end; i++)  /* handle, function, unique */
        payload += strnlen((const char *)payload, (size_t)(end - payload)) + 1;
    if (payload > end)
        die("a JOB_ASSIGN_UNIQ without four arguments");
    Mark mark = job_check(payload, (size_t)(end - payload));
    if (crew.seen != NULL)
        crew.seen(mark);
    uint8_t *answer = packet(connection, WORK_COMPLETE, handle + (size_t)(end - payload));
    memcpy(answer, body, handle);
    memcpy(answer + handle, payload, (size_t)(end - payload));
    crew.done++;
    grab(connection);
}

static void sleep_now(Connection *connection)
{
    Worker *worker = connection->owner;
    if (!crew.sleeps)
        die("no job left after %lu", crew.done);
    packet(connection, PRE_SLEEP, 0);
    if (!worker->settled)
        packet_text(connection, GET_STATUS, PROBE);
    worker->asleep = true;
}

static void receive(Connection *connection, uint32_t type, const uint8_t *body, size_t length)
{
    Worker *worker = connection->owner;
    switch (type) {
    case JOB_ASSIGN_UNIQ:
        work(connection, body, length);
        break;
    case NO_JOB:
        sleep_now(connection);
        break;
    case NOOP:
        if (worker->asleep)
            grab(connection);
        worker->asleep = false;
        break;
    case STATUS_RES:
        worker->settled = true;
        crew.settled++;
        break;
    default:
        die("packet %u to a worker", type);
    }
}

static Connection *hire(void)
{
    Worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        die("out of memory");
    return connection_open(receive, worker);
}

void workers_start(void)
{
    for (long i = 0; i < options.workers; i++) {
        Connection *connection = hire();
        for (long j = 0; j < options.functions; j++)
            packet_text(connection, CAN_DO, job_function((uint64_t)j));
        connection_join(connection);
        grab(connection);
        connection_flush(connection);
    }
}

void worker_idle(void)
{
    Connection *connection = hire();
    Worker *worker = connection->owner;
    worker->asleep = worker->settled = true;
    packet_text(connection, CAN_DO, "idle");
    packet(connection, PRE_SLEEP, 0);
    connection_join(connection);
}
