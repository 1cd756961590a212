#include <stdlib.h>

#include "clock.h"
#include "jobs.h"
#include "options.h"
#include "roles.h"
#include "workers.h"

enum { PATIENCE = 60 };

static bool *seen;  /* by number from the first job on */

static void mark_seen(Mark mark)
{
    uint64_t index = mark.serial - (uint64_t)options.first;
    if (index >= (uint64_t)options.jobs)
        die("job %lu was not to come", mark.serial);
    if (seen[index])
        die("job %lu came twice", mark.serial);
    seen[index] = true;
}

Count drain(void)
{
    Count count = {0};
    if (options.jobs == 0)
        die("drain needs jobs=N");
    seen = calloc((size_t)options.jobs, sizeof *seen);
    if (seen == NULL)
        die("out of memory");
    crew.budget = (uint64_t)options.jobs;
    crew.seen = mark_seen;
    Moment start = moment();
    workers_start();
    double end = start.now + options.seconds;
    while (crew.settled < options.workers) {
        if (now() > end)
            crew.budget = 0;
        if (now() > end + PATIENCE)
            die("short count: %lu of %ld jobs", crew.done, options.jobs);
        connections_turn(0.05);
    }
    elapsed(&count, start);
    count.jobs = crew.done;
    if (now() < end && count.jobs != (uint64_t)options.jobs)
        die("short count: %lu of %ld jobs", count.jobs, options.jobs);
    return count;
}
