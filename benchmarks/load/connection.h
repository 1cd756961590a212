/* Connections to the server: binary packets over TCP or TLS, one epoll for all of them. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CAN_DO = 1, PRE_SLEEP = 4, NOOP = 6, SUBMIT_JOB = 7, JOB_CREATED = 8, NO_JOB = 10,
    WORK_COMPLETE = 13, GET_STATUS = 15, SUBMIT_JOB_BG = 18, ERROR = 19, STATUS_RES = 20,
    GRAB_JOB_UNIQ = 30, JOB_ASSIGN_UNIQ = 31,
};

/* No job's handle: the answer to its GET_STATUS shows that the server has seen all before it. */
#define PROBE "H:nobody:0"

typedef struct Connection Connection;

/* Called for each packet; may send on this connection, whose body stays valid until it returns. */
typedef void Receive(Connection *connection, uint32_t type, const uint8_t *body, size_t length);

typedef struct { uint8_t *bytes; size_t start, end, size; } Buffer;

struct Connection {
    int socket;
    SSL *tls;
    Receive *receive;
    void *owner;
    Buffer in, out;
    bool blocked;          /* the kernel takes no more: epoll will tell when it does */
};

/* Connect; the server's first answers are awaited by connection_join. */
Connection *connection_open(Receive *receive, void *owner);

/* Send what is queued and wait until the server has taken it all in; then watch the connection. */
void connection_join(Connection *connection);

/* Queue a packet whose body is `length` bytes; returns where to write them. */
uint8_t *packet(Connection *connection, uint32_t type, size_t length);
void packet_text(Connection *connection, uint32_t type, const char *body);

/* Hand what is queued to the kernel. */
void connection_flush(Connection *connection);

/* Wait for packets at most so many seconds and deliver them. */
void connections_turn(double seconds);

#endif
