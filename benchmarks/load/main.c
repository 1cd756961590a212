/* A load generator for Gearman servers: one thread, one epoll, one line of JSON at the end. */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "jobs.h"
#include "options.h"
#include "roles.h"

Moment moment(void) { return (Moment){now(), server_cpu(), own_cpu()}; }

void elapsed(Count *count, Moment since)
{
    Moment here = moment();
    count->seconds = here.now - since.now;
    count->server_cpu = here.server - since.server;
    count->own_cpu = here.own - since.own;
}

static void stay_on(long core)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)core, &cores);
    if (sched_setaffinity(0, sizeof cores, &cores) != 0)
        die("cannot stay on core %ld", core);
}

int main(int count, char **words)
{
    static const struct { const char *name; Count (*run)(void); } ROLES[] = {
        {"foreground", foreground}, {"background", background}, {"drain", drain},
    };
    options_parse(count, words);
    if (options.core >= 0)
        stay_on(options.core);
    jobs_prepare();
    for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++)
        if (!strcmp(options.role, ROLES[i].name)) {
            Count result = ROLES[i].run();
            printf("{\"jobs\": %lu, \"seconds\": %.9f, \"server_cpu\": %.9f, \"own_cpu\": %.9f, "
                   "\"p50\": %.9f, \"p99\": %.9f}\n",
                   result.jobs, result.seconds, result.server_cpu, result.own_cpu, result.p50,
                   result.p99);
            return 0;
        }
    die("no role %s", options.role);
}
