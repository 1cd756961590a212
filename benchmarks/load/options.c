#include "options.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

Options options = {
    .core = -1,
    .clients = 1,
    .inflight = 1,
    .workers = 1,
    .functions = 1,
    .payload = 64,
    .seconds = 1.0,
};

static const struct { const char *name; long *value; long least; } NUMBERS[] = {
    {"port", &options.port, 1},
    {"pid", &options.pid, 0},
    {"core", &options.core, -1},
    {"clients", &options.clients, 1},
    {"inflight", &options.inflight, 1},
    {"workers", &options.workers, 1},
    {"idle", &options.idle, 0},
    {"functions", &options.functions, 1},
    {"begin", &options.begin, 0},
    {"keys", &options.keys, -1},
    {"payload", &options.payload, 16},
    {"first", &options.first, 0},
    {"jobs", &options.jobs, 0},
};
static const struct { const char *name; double *value; } TIMES[] = {
    {"warm", &options.warm},
    {"seconds", &options.seconds},
};
static const struct { const char *name; const char **value; } TEXTS[] = {
    {"ca", &options.ca},
    {"cert", &options.cert},
    {"key", &options.key},
};
#define COUNT(table) (sizeof(table) / sizeof(table[0]))

static int take(const char *name, const char *value)
{
    char *rest = "";
    for (size_t i = 0; i < COUNT(NUMBERS); i++)
        if (!strcmp(name, NUMBERS[i].name)) {
            *NUMBERS[i].value = strtol(value, &rest, 10);
            return *value && !*rest && *NUMBERS[i].value >= NUMBERS[i].least;
        }
    for (size_t i = 0; i < COUNT(TIMES); i++)
        if (!strcmp(name, TIMES[i].name)) {
            *TIMES[i].value = strtod(value, &rest);
            return *value && !*rest && *TIMES[i].value >= 0;
        }
    for (size_t i = 0; i < COUNT(TEXTS); i++)
        if (!strcmp(name, TEXTS[i].name)) {
            *TEXTS[i].value = value;
            return 1;
        }
    return 0;
}

void options_parse(int count, char **words)
{
    if (count < 2)
        die("usage: load foreground|background|drain port=N [key=value ...]");
    options.role = words[1];
    for (int i = 2; i < count; i++) {
        char *equals = strchr(words[i], '=');
        if (equals == NULL)
            die("not key=value: %s", words[i]);
        *equals = '\0';
        if (!take(words[i], equals + 1))
            die("bad option: %s=%s", words[i], equals + 1);
    }
    if (options.port == 0)
        die("port=N is missing");
}
