/* Workers that echo: grab, complete and grab again, sleep when there is nothing. */
#ifndef WORKERS_H
#define WORKERS_H

#include "jobs.h"

typedef struct {
    bool sleeps;             /* when there is no job; else that is an error */
    uint64_t budget;         /* jobs that may still be grabbed */
    uint64_t done;           /* jobs completed */
    long settled;            /* workers that sleep for the first time, or have used the budget up */
    void (*seen)(Mark);      /* called for each job, unless NULL */
} Crew;

extern Crew crew;

/* Connect all workers that the options ask for; each grabs its first job. */
void workers_start(void);

/* Connect a worker of a function that gets no jobs, asleep. */
void worker_idle(void);

#endif
