/*
 * pipes.c: the pool of pipes that splice() moves bytes through. A pipe is a
 * direction's only while bytes are under way, so thousands of connections do
 * with a few.
 */
#include "relay/set.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PIPE_BYTES (256 * 1024)

void relay_pipes_init(struct relay_set *s)
{
	for (uint16_t i = 0; i < RELAY_PIPES_MAX; i++) {
		s->pipes[i] = (struct relay_pipe){-1, -1};
		s->free_pipes[i] = (uint16_t)(RELAY_PIPES_MAX - i);
	}
	s->n_free = RELAY_PIPES_MAX;
	s->n_spare = 0;
}

static void pipe_close(struct relay_pipe *p)
{
	close(p->rd);
	close(p->wr);
	*p = (struct relay_pipe){-1, -1};
}

void relay_pipes_fini(struct relay_set *s)
{
	for (uint16_t i = 0; i < RELAY_PIPES_MAX; i++) {
		if (s->pipes[i].rd >= 0)
			pipe_close(&s->pipes[i]);
	}
}

static bool pipe_make(struct relay_pipe *p)
{
	int fd[2];

	if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
		return false;
	/* a smaller pipe does too */
	(void)!fcntl(fd[1], F_SETPIPE_SZ, PIPE_BYTES);
	*p = (struct relay_pipe){fd[0], fd[1]};
	return true;
}

uint16_t relay_pipe_get(struct relay_set *s)
{
	uint16_t n;

	if (!s->n_free)
		return 0;
	n = s->free_pipes[s->n_free - 1];
	if (s->n_spare)
		s->n_spare--;
	else if (!pipe_make(relay_pipe_at(s, n)))
		return 0;
	s->n_free--;
	return n;
}

void relay_pipe_put(struct relay_set *s, uint16_t pipe, bool dirty)
{
	uint16_t below;

	if (dirty || s->n_spare == RELAY_PIPES_SPARE) {
		pipe_close(relay_pipe_at(s, pipe));
		/* numbers with a pipe stay on top */
		below = (uint16_t)(s->n_free - s->n_spare);
		s->free_pipes[s->n_free++] = s->free_pipes[below];
		s->free_pipes[below] = pipe;
		return;
	}
	s->free_pipes[s->n_free++] = pipe;
	s->n_spare++;
}
