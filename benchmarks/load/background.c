#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "jobs.h"
#include "options.h"
#include "roles.h"
#include "samples.h"

enum { PATIENCE = 60 };

/* When each submit was made that waits for its JOB_CREATED: they come in order. */
typedef struct {
    double *since;
    uint64_t oldest, newest;
} Client;

static struct {
    bool stopped;
    uint64_t submitted, created;
} run;

static void submit(Connection *connection)
{
    if (options.jobs > 0 && run.submitted >= (uint64_t)options.jobs)
        return;
    uint64_t serial = (uint64_t)options.first + run.submitted++;
    if (options.keys > 0)
        serial %= (uint64_t)options.keys;
    Client *client = connection->owner;
    client->since[client->newest++ % (uint64_t)options.inflight] = now();
    job_submit(connection, SUBMIT_JOB_BG, (Mark){0, 0, serial});
}

static void receive(Connection *connection, uint32_t type, const uint8_t *body, size_t length)
{
    (void)body;
    if (type != JOB_CREATED || length == 0)
        die("packet %u to a client", type);
    Client *client = connection->owner;
    sample(now() - client->since[client->oldest++ % (uint64_t)options.inflight]);
    run.created++;
    if (!run.stopped)
        submit(connection);
}

Count background(void)
{
    Count count = {0};
    Connection *clients[options.clients];
    Client owners[options.clients];
    samples_prepare();
    for (long i = 0; i < options.clients; i++) {
        owners[i] = (Client){calloc((size_t)options.inflight, sizeof(double)), 0, 0};
        if (owners[i].since == NULL)
            die("out of memory");
        clients[i] = connection_open(receive, &owners[i]);
        connection_join(clients[i]);
    }
    Moment start = moment();
    for (long i = 0; i < options.clients; i++) {
        for (long j = 0; j < options.inflight; j++)
            submit(clients[i]);
        connection_flush(clients[i]);
    }
    double end = start.now + options.seconds;
    while (run.created < run.submitted) {
        run.stopped = now() > end;
        if (now() > end + PATIENCE)
            die("short count: %lu of %lu jobs created", run.created, run.submitted);
        connections_turn(0.05);
    }
    elapsed(&count, start);
    count.jobs = run.created;
    percentiles(&count);
    return count;
}
