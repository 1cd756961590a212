/* What a run was asked for: key=value words of the command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdint.h>

typedef struct {
    const char *role;      /* foreground, background or drain */
    long port;             /* of the server, on 127.0.0.1 */
    long pid;              /* of the server, whose processor time is read; 0 for none */
    long core;             /* the core to stay on; -1 for any */
    const char *ca;        /* the three files of TLS; NULL for plain TCP */
    const char *cert;
    const char *key;
    long clients;          /* connections that submit */
    long inflight;         /* unanswered submits of each */
    long workers;          /* connections that work */
    long idle;             /* connections beside them: half clients, half sleeping workers */
    long functions;        /* functions that jobs go to in turn; each worker has all of them */
    long begin;            /* number of the first of them */
    long keys;             /* unique keys that jobs share in turn; 0 for none, -1 one a job */
    long payload;          /* bytes of each job */
    long first;            /* number of the first job */
    long jobs;             /* submit or take at most so many; 0 for no limit but time */
    double warm;           /* seconds of work before the measured time */
    double seconds;        /* measured time at most */
} Options;

extern Options options;

void options_parse(int count, char **words);

#endif
