/* Jobs: what their payloads hold, and how an answer is checked against them. */
#ifndef JOBS_H
#define JOBS_H

#include "connection.h"

/* The head of a payload; the rest is a fixed pattern. */
typedef struct { uint32_t client, slot; uint64_t serial; } Mark;

void jobs_prepare(void);

/* The name of the function that the job of this number goes to. */
const char *job_function(uint64_t serial);

/* Queue the submit of a job. */
void job_submit(Connection *connection, uint32_t type, Mark mark);

/* Return the mark of a payload; ends the run when the payload is not one of ours. */
Mark job_check(const uint8_t *payload, size_t length);

#endif
