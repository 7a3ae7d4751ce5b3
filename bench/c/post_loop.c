#define _GNU_SOURCE
/* Sends a POST again and again on so many connections kept open, and prints answers per second.
 * Arguments: PORT CONNECTIONS REQUESTS STATUS, the request on stdin; its one @@@@@@@@@ is replaced by a number, so that
 * all requests differ. Each connection has one request under way. Every answer must have the status. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

#define MOST 1024
#define ROOM 65536

static char request[ROOM];
static size_t length;
static char *place;
static int sent;

static void die(const char *why) {
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static void post(int fd) {
    char number[10];
    snprintf(number, sizeof number, "%09d", sent++);
    memcpy(place, number, 9);
    if (write(fd, request, length) != (ssize_t)length) die("a request could not be sent whole");
}

/* Whether a whole answer is there: its head, and as much body as it says. */
static int is_whole(char *text, size_t have) {
    text[have] = 0;
    char *end = strstr(text, "\r\n\r\n");
    if (!end) return 0;
    char *says = strcasestr(text, "content-length:");
    size_t body = says && says < end ? strtoul(says + 15, 0, 10) : 0;
    return have >= (size_t)(end + 4 - text) + body;
}

int main(int count, char **words) {
    if (count != 5) die("PORT CONNECTIONS REQUESTS STATUS");
    int connections = atoi(words[2]), requests = atoi(words[3]), done = 0;
    static struct pollfd polled[MOST];
    static char *texts[MOST];
    static size_t have[MOST];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    struct timespec begin, end;
    length = fread(request, 1, sizeof request - 1, stdin);
    place = strstr(request, "@@@@@@@@@");
    if (!place || connections > MOST) die("no place for the number, or too many connections");
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    for (int i = 0; i < connections; i++) {
        int one = 1;
        polled[i].fd = socket(AF_INET, SOCK_STREAM, 0);
        polled[i].events = POLLIN;
        texts[i] = malloc(ROOM + 1);
        if (connect(polled[i].fd, (struct sockaddr *)&to, sizeof to)) die("cannot connect");
        setsockopt(polled[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < connections; i++) post(polled[i].fd);
    while (done < requests) {
        poll(polled, connections, -1);
        for (int i = 0; i < connections; i++) {
            if (!polled[i].revents) continue;
            ssize_t got = read(polled[i].fd, texts[i] + have[i], ROOM - have[i]);
            if (got <= 0) die("a connection was closed");
            have[i] += got;
            if (!is_whole(texts[i], have[i])) continue;
            if (strncmp(texts[i] + 9, words[4], 3)) die(texts[i]);
            have[i] = 0;
            done++;
            if (sent < requests) post(polled[i].fd);
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%f\n", requests / (end.tv_sec - begin.tv_sec + (end.tv_nsec - begin.tv_nsec) / 1e9));
    return 0;
}
