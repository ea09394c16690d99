#include "aware.h"

#include <errno.h>

static int refuse_start(const struct aware *m)
{
	if (m->state == AWARE_FAILED)
		return -ENOTCONN;
	return m->state == AWARE_CLEAR ? 0 : -EALREADY;
}

static int refuse_stop(const struct aware *m)
{
	switch (m->state) {
	case AWARE_SECURE:
		return 0;
	case AWARE_LAST:
	case AWARE_BYE:
		return -EALREADY;
	case AWARE_FAILED:
		return -ENOTCONN;
	case AWARE_CLEAR:
	case AWARE_DRAIN:
	case AWARE_HANDSHAKE:
		break;
	}
	return -EBADFD;
}

int aware_request(struct aware *m, enum attls_request what, uint64_t queued)
{
	int r = what == ATTLS_START  ? refuse_start(m)
		: what == ATTLS_STOP ? refuse_stop(m)
				     : -EINVAL;

	if (r < 0)
		return r;
	m->state = what == ATTLS_START ? AWARE_DRAIN : AWARE_LAST;
	m->left = queued;
	m->at_border = false;
	return -EINPROGRESS;
}

static bool bounded(const struct aware *m)
{
	return m->state == AWARE_DRAIN || m->state == AWARE_LAST;
}

size_t aware_may_send(const struct aware *m, size_t want)
{
	if (m->state == AWARE_CLEAR || m->state == AWARE_SECURE)
		return want;
	return bounded(m) ? (size_t)MIN(m->left, (uint64_t)want) : 0;
}

void aware_sent(struct aware *m, size_t n)
{
	if (!bounded(m))
		return;
	INVARIANT(n <= m->left);
	m->left -= n;
}

void aware_drained(struct aware *m)
{
	if (!bounded(m) || m->left)
		return;
	m->at_border = true;
	if (m->state == AWARE_LAST)
		m->state = AWARE_BYE;
}

bool aware_may_hear(const struct aware *m)
{
	switch (m->state) {
	case AWARE_CLEAR:
		return true;
	case AWARE_SECURE:
	case AWARE_LAST:
	case AWARE_BYE:
		return !m->heard;
	case AWARE_DRAIN:
	case AWARE_HANDSHAKE:
	case AWARE_FAILED:
		break;
	}
	return false;
}

void aware_heard(struct aware *m)
{
	m->heard = true;
}

enum aware_wish aware_wish(const struct aware *m)
{
	if (m->state == AWARE_DRAIN)
		return m->at_border ? AWARE_BEGIN : AWARE_NOTHING;
	if (m->state != AWARE_BYE)
		return AWARE_NOTHING;
	if (!m->said)
		return AWARE_CLOSE;
	return m->heard ? AWARE_STRIP : AWARE_NOTHING;
}

void aware_begun(struct aware *m)
{
	m->state = AWARE_HANDSHAKE;
	m->said = m->heard = false;
}

void aware_secured(struct aware *m)
{
	m->state = AWARE_SECURE;
}

void aware_said(struct aware *m)
{
	m->said = true;
}

void aware_clear(struct aware *m)
{
	m->state = AWARE_CLEAR;
}

void aware_failed(struct aware *m)
{
	m->state = AWARE_FAILED;
}

enum attls_state aware_shown(const struct aware *m)
{
	switch (m->state) {
	case AWARE_DRAIN:
	case AWARE_HANDSHAKE:
		return ATTLS_STATE_HANDSHAKE;
	case AWARE_SECURE:
		return m->heard ? ATTLS_STATE_PEER_STOPPED : ATTLS_STATE_SECURE;
	case AWARE_LAST:
	case AWARE_BYE:
		return ATTLS_STATE_STOPPING;
	case AWARE_FAILED:
		return ATTLS_STATE_FAILED;
	case AWARE_CLEAR:
		break;
	}
	return ATTLS_STATE_CLEAR;
}

const char *aware_name(const struct aware *m)
{
	switch (aware_shown(m)) {
	case ATTLS_STATE_CLEAR:
		return "CLEAR";
	case ATTLS_STATE_HANDSHAKE:
		return "HANDSHAKE";
	case ATTLS_STATE_SECURE:
		return "OPEN";
	case ATTLS_STATE_PEER_STOPPED:
		return "PEERSTOP";
	case ATTLS_STATE_STOPPING:
		return "STOPPING";
	case ATTLS_STATE_FAILED:
		break;
	}
	return "FAILED";
}
