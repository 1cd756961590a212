#include "jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "options.h"

enum { NAME = 32, UNIQUE = 40, WHOLE = 4096, SAMPLE = 8 };

static uint8_t *pattern;
static char (*names)[NAME];

void jobs_prepare(void)
{
    pattern = malloc((size_t)options.payload);
    names = calloc((size_t)options.functions, NAME);
    if (pattern == NULL || names == NULL)
        die("out of memory");
    for (long i = 0; i < options.payload; i++)
        pattern[i] = (uint8_t)(i * 7 + 13);
    for (long i = 0; i < options.functions; i++)
        snprintf(names[i], NAME, "function-%ld", options.begin + i);
}

const char *job_function(uint64_t serial)
{
    return names[serial % (uint64_t)options.functions];
}

void job_submit(Connection *connection, uint32_t type, Mark mark)
{
    const char *function = job_function(mark.serial);
    char unique[UNIQUE] = "";
    if (options.keys != 0)
        snprintf(unique, UNIQUE, options.keys > 0 ? "key-%lu" : "%032lx", mark.serial);
    size_t head = strlen(function) + strlen(unique) + 2;
    uint8_t *body = packet(connection, type, head + (size_t)options.payload);
    body = (uint8_t *)stpcpy((char *)body, function) + 1;
    body = (uint8_t *)stpcpy((char *)body, unique) + 1;
    memcpy(body, pattern, (size_t)options.payload);
    memcpy(body, &mark, sizeof mark);
}

Mark job_check(const uint8_t *payload, size_t length)
{
    Mark mark;
    if (length != (size_t)options.payload)
        die("a payload of %zu bytes came back, not %ld", length, options.payload);
    memcpy(&mark, payload, sizeof mark);
    /* Short payloads are compared all, of large ones a sample: it is the server that is measured. */
    if ((length <= WHOLE || mark.serial % SAMPLE == 0)
        && memcmp(payload + sizeof mark, pattern + sizeof mark, length - sizeof mark) != 0)
        die("the payload of job %lu came back changed", mark.serial);
    return mark;
}
