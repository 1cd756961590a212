#include "clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "options.h"

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static double read_clock(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0)
        die("a clock cannot be read: is the server gone?");
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

double now(void) { return read_clock(CLOCK_MONOTONIC); }

double own_cpu(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

double server_cpu(void)
{
    clockid_t clock;
    if (options.pid == 0)
        return 0;
    if (clock_getcpuclockid((pid_t)options.pid, &clock) != 0)
        die("no process %ld", options.pid);
    return read_clock(clock);
}
