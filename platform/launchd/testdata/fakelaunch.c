/* A stand-in for launchd's part of libSystem: it hands out duplicates of the descriptors it was offered, each name
 * once, in an array from malloc. Like the real one it returns the errno and leaves errno alone. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENTRIES = 8, DESCRIPTORS = 8 };

static struct {
	char name[64];
	int fds[DESCRIPTORS];
	size_t count;
	int taken;
} entries[ENTRIES];
static size_t used;
static int managed;
static int *outstanding; /* the last array, until it is freed */
static int wrong_frees;
static void (*during)(void);

/* What the test says first: is this process a job, what happens in the middle of a call. */
void fake_start(int is_job, void (*callback)(void)) {
	used = 0;
	managed = is_job;
	outstanding = NULL;
	wrong_frees = 0;
	during = callback;
}

/* Puts fd under name, as one entry of the job's Sockets. */
int fake_offer(const char *name, int fd) {
	size_t i = 0;
	while (i < used && strcmp(entries[i].name, name) != 0)
		i++;
	if (i == ENTRIES || strlen(name) >= sizeof entries[i].name)
		return ENOMEM;
	if (i == used) {
		memset(&entries[i], 0, sizeof entries[i]);
		strcpy(entries[i].name, name);
		used++;
	}
	if (entries[i].count == DESCRIPTORS)
		return ENOMEM;
	entries[i].fds[entries[i].count++] = fd;
	return 0;
}

int launch_activate_socket(const char *name, int **fds, size_t *cnt) {
	if (during)
		during();
	errno = EIO; /* must not be looked at */
	if (!managed)
		return ESRCH;
	if (name[0] == '\0')
		return EINVAL;
	for (size_t i = 0; i < used; i++) {
		if (strcmp(entries[i].name, name) != 0)
			continue;
		if (entries[i].taken)
			return EALREADY;
		int *array = malloc(entries[i].count * sizeof *array);
		if (array == NULL)
			return ENOMEM;
		for (size_t j = 0; j < entries[i].count; j++)
			array[j] = dup(entries[i].fds[j]); /* without close-on-exec */
		entries[i].taken = 1;
		outstanding = array;
		*fds = array;
		*cnt = entries[i].count;
		return 0;
	}
	return ENOENT;
}

void fake_free(int *array) {
	if (array == NULL || array != outstanding) {
		wrong_frees++;
		return;
	}
	outstanding = NULL;
	free(array);
}

/* Arrays not freed plus frees of anything else. */
int fake_free_errors(void) { return wrong_frees + (outstanding != NULL); }
