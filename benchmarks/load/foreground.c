#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "jobs.h"
#include "options.h"
#include "roles.h"
#include "samples.h"
#include "workers.h"

enum { HANDLE = 72, PATIENCE = 60 };
static const uint32_t SHARED = UINT32_MAX;  /* the client of jobs that several ask for */

/* A submit that is under way. With shared keys there is one slot a key, else one in flight. */
typedef struct {
    bool busy;
    uint64_t serial;
    double since;
    char handle[HANDLE];
    size_t handle_length;
} Slot;

typedef struct {
    Connection *connection;
    uint32_t number;
    Slot *slots;
    uint32_t *unnamed;      /* ring of slots that wait for JOB_CREATED, which come in order */
    uint32_t oldest, newest;
    uint32_t next_key;
} Client;

static struct {
    bool stopped, measured;
    uint32_t slots;         /* of each client */
    uint64_t submitted, completed;
} run;

static uint32_t free_key(Client *client)
{
    do
        client->next_key = (client->next_key + 1) % run.slots;
    while (client->slots[client->next_key].busy);
    return client->next_key;
}

static void submit(Client *client, uint32_t index)
{
    Slot *slot = &client->slots[index];
    bool shared = options.keys > 0;
    slot->busy = true;
    slot->serial = shared ? index : (uint64_t)options.first + run.submitted;
    slot->handle_length = 0;
    slot->since = now();
    client->unnamed[client->newest++ % run.slots] = index;
    run.submitted++;
    job_submit(client->connection, SUBMIT_JOB,
               (Mark){shared ? SHARED : client->number, index, slot->serial});
}

static void created(Client *client, const uint8_t *handle, size_t length)
{
    if (client->oldest == client->newest)
        die("a JOB_CREATED that no submit asked for");
    Slot *slot = &client->slots[client->unnamed[client->oldest++ % run.slots]];
    if (length == 0 || length > HANDLE)
        die("a handle of %zu bytes", length);
    memcpy(slot->handle, handle, length);
    slot->handle_length = length;
}

static void completed(Client *client, const uint8_t *body, size_t length)
{
    size_t handle = strnlen((const char *)body, length);
    if (handle + 1 > length)
        die("a WORK_COMPLETE without data");
    Mark mark = job_check(body + handle + 1, length - handle - 1);
    if (mark.client != (options.keys > 0 ? SHARED : client->number) || mark.slot >= run.slots)
        die("client %u gets the result of client %u", client->number, mark.client);
    Slot *slot = &client->slots[mark.slot];
    if (!slot->busy || slot->serial != mark.serial || slot->handle_length != handle
        || memcmp(slot->handle, body, handle) != 0)
        die("the result of job %lu was not waited for", mark.serial);
    if (run.measured)
        sample(now() - slot->since);
    slot->busy = false;
    run.completed++;
    if (options.jobs > 0 && run.submitted >= (uint64_t)options.jobs)
        run.stopped = true;
    if (!run.stopped)
        submit(client, options.keys > 0 ? free_key(client) : mark.slot);
}

static void receive(Connection *connection, uint32_t type, const uint8_t *body, size_t length)
{
    if (type == JOB_CREATED)
        created(connection->owner, body, length);
    else if (type == WORK_COMPLETE)
        completed(connection->owner, body, length);
    else
        die("packet %u to a client", type);
}

static Client *clients_open(void)
{
    Client *clients = calloc((size_t)options.clients, sizeof *clients);
    for (long i = 0; clients != NULL && i < options.clients; i++) {
        Client *client = &clients[i];
        client->number = (uint32_t)i;
        client->slots = calloc(run.slots, sizeof *client->slots);
        client->unnamed = calloc(run.slots, sizeof *client->unnamed);
        if (client->slots == NULL || client->unnamed == NULL)
            break;
        client->connection = connection_open(receive, client);
        connection_join(client->connection);
    }
    if (clients == NULL || clients[options.clients - 1].connection == NULL)
        die("out of memory");
    return clients;
}

static void idle_open(void)
{
    for (long i = 0; i < options.idle; i++)
        if (i % 2)
            worker_idle();
        else
            connection_join(connection_open(receive, NULL));
}

static void turn(double deadline)
{
    if (now() > deadline)
        die("short count: %lu of %lu jobs came back", run.completed, run.submitted);
    connections_turn(0.05);
}

static void work_until(double end)
{
    while (now() < end && run.completed < run.submitted)
        turn(end + PATIENCE);
}

Count foreground(void)
{
    Count count = {0};
    run.slots = (uint32_t)(options.keys > 0 ? options.keys : options.inflight);
    if (options.inflight > run.slots)
        die("fewer keys than jobs in flight");
    samples_prepare();
    crew.sleeps = true;
    crew.budget = UINT64_MAX;
    workers_start();
    for (double limit = now() + PATIENCE; crew.settled < options.workers;) {
        if (now() > limit)
            die("only %ld workers sleep", crew.settled);
        connections_turn(0.05);
    }
    idle_open();
    Client *clients = clients_open();
    for (long i = 0; i < options.clients; i++) {
        for (long j = 0; j < options.inflight; j++)
            submit(&clients[i], options.keys > 0 ? free_key(&clients[i]) : (uint32_t)j);
        connection_flush(clients[i].connection);
    }
    work_until(now() + options.warm);
    run.measured = true;
    uint64_t before = run.completed;
    Moment start = moment();
    work_until(start.now + options.seconds);
    elapsed(&count, start);
    run.measured = false;
    run.stopped = true;
    count.jobs = run.completed - before;
    for (double limit = now() + PATIENCE; run.completed < run.submitted;)
        turn(limit);
    if (options.keys <= 0 && crew.done != run.submitted)
        die("%lu jobs were worked on, %lu submitted", crew.done, run.submitted);
    percentiles(&count);
    return count;
}
