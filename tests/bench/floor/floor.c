// floor PATH FILE... - the least that a server can be: it reads from the connections of the listener on descriptor 3 and writes, for
// each head of a request for PATH, what is in FILE. Of HTTP it knows where a head ends.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { listener = 3, most_replies = 16, most_descriptors = 1 << 20 };

static struct {
	char *start; // of a request for it
	size_t start_length;
	char *bytes;
	size_t length;
} replies[most_replies];
static int reply_count;

static char buffer[64 << 10];
static struct {
	char *bytes; // the beginning of a head whose end has not come
	size_t length;
} rests[most_descriptors];

static void load(const char *path, const char *file) {
	struct stat about;
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &about) < 0 || reply_count == most_replies) {
		perror(file);
		exit(1);
	}
	char *bytes = malloc(about.st_size), *start;
	if (!bytes || read(fd, bytes, about.st_size) != about.st_size || asprintf(&start, "GET %s ", path) < 0) {
		perror(file);
		exit(1);
	}
	close(fd);
	replies[reply_count].start = start;
	replies[reply_count].start_length = strlen(start);
	replies[reply_count].bytes = bytes;
	replies[reply_count].length = about.st_size;
	reply_count++;
}

// answer writes by one call or not at all: a client that does not read is left.
static int answer(int fd, const char *head, size_t length) {
	for (int i = 0; i < reply_count; i++)
		if (length >= replies[i].start_length && memcmp(head, replies[i].start, replies[i].start_length) == 0)
			return write(fd, replies[i].bytes, replies[i].length) == (ssize_t)replies[i].length;
	return 0;
}

// keep puts what is left of the buffer aside until more comes.
static int keep(int fd, const char *bytes, size_t length) {
	free(rests[fd].bytes);
	rests[fd].bytes = NULL;
	rests[fd].length = length;
	if (length == 0)
		return 1;
	rests[fd].bytes = malloc(length);
	if (rests[fd].bytes)
		memcpy(rests[fd].bytes, bytes, length);
	return rests[fd].bytes != NULL && length < sizeof buffer;
}

// serve answers what has come, and says whether the connection goes on.
static int serve(int fd) {
	for (;;) {
		size_t had = rests[fd].length;
		if (had > 0)
			memcpy(buffer, rests[fd].bytes, had);
		ssize_t got = read(fd, buffer + had, sizeof buffer - had);
		if (got <= 0)
			return got < 0 && errno == EAGAIN;
		char *head = buffer, *end;
		size_t length = had + got;
		while ((end = memmem(head, length, "\r\n\r\n", 4))) {
			if (!answer(fd, head, length))
				return 0;
			length -= end + 4 - head;
			head = end + 4;
		}
		if (had + length > 0 && !keep(fd, head, length))
			return 0;
		if (had + got < sizeof buffer)
			return 1; // there is no more: the next that comes is another event
	}
}

static void watch(int epoll, int fd, unsigned events) {
	struct epoll_event event = {.events = events, .data.fd = fd};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		perror("epoll_ctl");
		exit(1);
	}
}

int main(int count, char **arguments) {
	for (int i = 1; i + 1 < count; i += 2)
		load(arguments[i], arguments[i + 1]);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(epoll, listener, EPOLLIN);
	for (;;) {
		struct epoll_event events[512];
		int ready = epoll_wait(epoll, events, 512, -1);
		for (int i = 0; i < ready; i++) {
			int fd = events[i].data.fd, connection;
			if (fd == listener) {
				while ((connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0 && connection < most_descriptors)
					watch(epoll, connection, EPOLLIN | EPOLLRDHUP | EPOLLET);
			} else if (!serve(fd) || events[i].events & EPOLLRDHUP) {
				keep(fd, NULL, 0);
				close(fd);
			}
		}
	}
}
