#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "options.h"

enum { HEADER = 12, READ = 256 * 1024, EVENTS = 256, PATIENCE = 60 };
static int poller = -1;
static SSL_CTX *context;

/* -- buffers ---------------------------------------------------------------------------------- */

static uint8_t *room(Buffer *buffer, size_t length)
{
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
    if (buffer->size - buffer->end < length && buffer->start > 0) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->end - buffer->start);
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    if (buffer->size - buffer->end < length) {
        buffer->size = 2 * (buffer->end + length);
        buffer->bytes = realloc(buffer->bytes, buffer->size);
        if (buffer->bytes == NULL)
            die("out of memory");
    }
    return buffer->bytes + buffer->end;
}

uint8_t *packet(Connection *connection, uint32_t type, size_t length)
{
    uint8_t *start = room(&connection->out, HEADER + length);
    uint32_t numbers[2] = {htonl(type), htonl((uint32_t)length)};
    memcpy(start, "\0REQ", 4);
    memcpy(start + 4, numbers, sizeof numbers);
    connection->out.end += HEADER + length;
    return start + HEADER;
}

void packet_text(Connection *connection, uint32_t type, const char *body)
{
    size_t length = strlen(body);
    memcpy(packet(connection, type, length), body, length);
}

/* -- sockets ---------------------------------------------------------------------------------- */

static void tls_start(Connection *connection)
{
    if (context == NULL) {
        context = SSL_CTX_new(TLS_client_method());
        if (context == NULL || SSL_CTX_load_verify_locations(context, options.ca, NULL) != 1
            || SSL_CTX_use_certificate_chain_file(context, options.cert) != 1
            || SSL_CTX_use_PrivateKey_file(context, options.key, SSL_FILETYPE_PEM) != 1)
            die("bad TLS files: %s", ERR_error_string(ERR_get_error(), NULL));
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE
                                      | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    connection->tls = SSL_new(context);
    if (connection->tls == NULL || SSL_set_fd(connection->tls, connection->socket) != 1
        || SSL_connect(connection->tls) != 1)
        die("no TLS: %s", ERR_error_string(ERR_get_error(), NULL));
}

Connection *connection_open(Receive *receive, void *owner)
{
    Connection *connection = calloc(1, sizeof *connection);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    struct timeval patience = {.tv_sec = PATIENCE};
    int yes = 1;
    if (connection == NULL)
        die("out of memory");
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    connection->receive = receive;
    connection->owner = owner;
    connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->socket < 0
        || connect(connection->socket, (struct sockaddr *)&address, sizeof address) != 0)
        die("cannot connect: %s", strerror(errno));
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(connection->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(connection->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (options.ca != NULL)
        tls_start(connection);
    return connection;
}

/* Both return the bytes moved, or 0 when the kernel has none or takes none now. */

static size_t tls_moved(Connection *connection, int result)
{
    if (result > 0)
        return (size_t)result;
    int reason = SSL_get_error(connection->tls, result);
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE)
        return 0;
    die("the server closed a TLS connection");
}

static size_t tcp_moved(ssize_t result)
{
    if (result > 0)
        return (size_t)result;
    if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    die("the server closed a connection: %s", result == 0 ? "end of stream" : strerror(errno));
}

static size_t receive_some(Connection *connection)
{
    uint8_t *start = room(&connection->in, READ);
    size_t space = connection->in.size - connection->in.end;
    size_t count;
    if (connection->tls != NULL)
        count = tls_moved(connection, SSL_read(connection->tls, start, (int)space));
    else
        count = tcp_moved(recv(connection->socket, start, space, 0));
    connection->in.end += count;
    return count;
}

static size_t send_some(Connection *connection)
{
    const uint8_t *start = connection->out.bytes + connection->out.start;
    size_t length = connection->out.end - connection->out.start;
    size_t count;
    if (connection->tls != NULL)
        count = tls_moved(connection, SSL_write(connection->tls, start, (int)length));
    else
        count = tcp_moved(send(connection->socket, start, length, MSG_NOSIGNAL));
    connection->out.start += count;
    return count;
}

static void watch(Connection *connection, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poller, operation, connection->socket, &event) != 0)
        die("epoll: %s", strerror(errno));
}

void connection_flush(Connection *connection)
{
    bool blocked = false;
    while (!blocked && connection->out.start < connection->out.end)
        blocked = send_some(connection) == 0;
    if (blocked != connection->blocked) {
        connection->blocked = blocked;
        watch(connection, EPOLL_CTL_MOD, EPOLLIN | (blocked ? EPOLLOUT : 0));
    }
}

/* -- packets ---------------------------------------------------------------------------------- */

static uint32_t number(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return ntohl(value);
}

/* Deliver every packet that is whole. */
static void deliver(Connection *connection, Receive *receive)
{
    Buffer *in = &connection->in;
    while (in->end - in->start >= HEADER) {
        const uint8_t *start = in->bytes + in->start;
        uint32_t type = number(start + 4);
        size_t length = number(start + 8);
        if (memcmp(start, "\0RES", 4) != 0)
            die("not the header of an answer");
        if (in->end - in->start < HEADER + length) {
            room(in, HEADER + length - (in->end - in->start));
            return;
        }
        if (type == ERROR)
            die("the server answers ERROR %s", start + HEADER);
        in->start += HEADER + length;
        receive(connection, type, start + HEADER, length);
    }
}

static void await_probe(Connection *connection, uint32_t type, const uint8_t *body, size_t length)
{
    (void)body, (void)length;
    if (type != STATUS_RES)
        die("packet %u before the connection was used", type);
    connection->receive = NULL;
}

void connection_join(Connection *connection)
{
    Receive *receive = connection->receive;
    packet_text(connection, GET_STATUS, PROBE);
    while (connection->out.start < connection->out.end)
        if (send_some(connection) == 0)
            die("the server takes nothing in");
    while (connection->receive != NULL) {
        if (receive_some(connection) == 0)
            die("the server does not answer");
        deliver(connection, await_probe);
    }
    connection->receive = receive;
    fcntl(connection->socket, F_SETFL, O_NONBLOCK);
    if (poller < 0 && (poller = epoll_create1(EPOLL_CLOEXEC)) < 0)
        die("epoll: %s", strerror(errno));
    watch(connection, EPOLL_CTL_ADD, EPOLLIN);
}

static void readable(Connection *connection)
{
    size_t space;
    size_t count;
    do {
        count = receive_some(connection);
        space = connection->in.size - connection->in.end;
        deliver(connection, connection->receive);
        /* A full read may have left more; TLS may hold a record that epoll does not see. */
    } while (count > 0 && (space == 0 || connection->tls != NULL));
}

void connections_turn(double seconds)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(poller, events, EVENTS, (int)(seconds * 1000) + 1);
    if (count < 0 && errno != EINTR)
        die("epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        Connection *connection = events[i].data.ptr;
        if (events[i].events & ~(uint32_t)EPOLLOUT)
            readable(connection);
        connection_flush(connection);
    }
}
