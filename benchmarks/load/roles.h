/* The three things that a run can measure; each returns what it counted. */
#ifndef ROLES_H
#define ROLES_H

#include <stdint.h>

typedef struct {
    uint64_t jobs;         /* within the measured time */
    double seconds;
    double server_cpu;     /* seconds of processor time within it */
    double own_cpu;
    double p50, p99;       /* seconds from a submit to what its client waits for; 0 without any */
} Count;

/* Clients wait for results of workers. */
Count foreground(void);

/* Clients wait for nothing but JOB_CREATED. */
Count background(void);

/* Workers take waiting jobs, each exactly once. */
Count drain(void);

/* Times and processor times: their difference from another moment is what a Count holds. */
typedef struct { double now, server, own; } Moment;

Moment moment(void);
void elapsed(Count *count, Moment since);

#endif
