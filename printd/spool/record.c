#include "spool/record.h"

#include "base/cursor.h"

#include <string.h>
#include <zlib.h>

static const char meta_magic[8] = "CPLTJOB1";
static const char state_magic[8] = "CPLTSTA1";
static const char next_magic[8] = "CPLTNXT1";

#define BODY_LEN (RECORD_LEN - 4)
#define COPIES_MAX 9999

uint32_t record_crc(uint32_t crc, const void *buf, size_t len)
{
	return (uint32_t)crc32_z(crc, buf, len);
}

static void put_64(struct wcur *w, uint64_t v)
{
	wcur_32(w, (uint32_t)(v >> 32));
	wcur_32(w, (uint32_t)v);
}

static uint64_t get_64(struct rcur *r)
{
	uint64_t hi = rcur_32(r);

	return hi << 32 | rcur_32(r);
}

/* A field of `size` bytes, the zero at its end included. */
static void put_text(struct wcur *w, const char *text, size_t size)
{
	uint8_t *p = wcur_bytes(w, size);

	if (!p)
		return;
	memset(p, 0, size);
	memcpy(p, text, strnlen(text, size - 1));
}

static bool get_text(struct rcur *r, char *ret, size_t size)
{
	rcur_copy(r, ret, size);
	return ret[size - 1] == '\0';
}

static void seal(uint8_t *buf)
{
	struct wcur w = wcur_of(buf + BODY_LEN, 4);

	wcur_32(&w, record_crc(0, buf, BODY_LEN));
}

static bool unseal(const uint8_t *buf, const char *magic, struct rcur *ret)
{
	struct rcur crc = rcur_of(buf + BODY_LEN, 4);

	if (memcmp(buf, magic, 8) != 0 ||
	    rcur_32(&crc) != record_crc(0, buf, BODY_LEN))
		return false;
	*ret = rcur_of(buf + 8, BODY_LEN - 8);
	return true;
}

static struct wcur begin(uint8_t *buf, const char *magic)
{
	struct wcur w;

	memset(buf, 0, RECORD_LEN);
	w = wcur_of(buf, BODY_LEN);
	wcur_copy(&w, magic, 8);
	return w;
}

void record_meta_emit(const struct spool_meta *m, uint8_t *buf)
{
	struct wcur w = begin(buf, meta_magic);

	wcur_32(&w, m->id);
	wcur_8(&w, (uint8_t)m->form);
	put_64(&w, m->created_s);
	put_64(&w, m->bytes);
	wcur_32(&w, m->crc);
	wcur_32(&w, m->copies);
	put_text(&w, m->lu, sizeof m->lu);
	put_text(&w, m->user, sizeof m->user);
	put_text(&w, m->host, sizeof m->host);
	put_text(&w, m->title, sizeof m->title);
	put_text(&w, m->codepage, sizeof m->codepage);
	INVARIANT(wcur_ok(&w));
	seal(buf);
}

bool record_meta_parse(const uint8_t *buf, struct spool_meta *ret)
{
	struct spool_meta m = {.id = 0};
	struct rcur r;
	uint8_t form;
	bool ok;

	if (!unseal(buf, meta_magic, &r))
		return false;
	m.id = rcur_32(&r);
	form = rcur_8(&r);
	m.form = (enum spool_form)form;
	m.created_s = get_64(&r);
	m.bytes = get_64(&r);
	m.crc = rcur_32(&r);
	m.copies = rcur_32(&r);
	ok = get_text(&r, m.lu, sizeof m.lu);
	ok &= get_text(&r, m.user, sizeof m.user);
	ok &= get_text(&r, m.host, sizeof m.host);
	ok &= get_text(&r, m.title, sizeof m.title);
	ok &= get_text(&r, m.codepage, sizeof m.codepage);
	if (!ok || !rcur_ok(&r) || form >= SPOOL_FORMS || !m.id ||
	    m.id > SPOOL_ID_MAX || !m.copies || m.copies > COPIES_MAX ||
	    m.bytes > INT64_MAX - SPOOL_DATA_AT)
		return false;
	*ret = m;
	return true;
}

void record_state_emit(const struct spool_status *st, uint64_t seq,
		       uint8_t *buf)
{
	struct wcur w = begin(buf, state_magic);

	put_64(&w, seq);
	wcur_8(&w, (uint8_t)st->state);
	wcur_8(&w, (uint8_t)(st->repeat | st->front << 1));
	wcur_32(&w, st->attempts);
	wcur_32(&w, st->prints);
	wcur_32(&w, st->pages);
	wcur_32(&w, st->first_page);
	put_64(&w, st->changed_s);
	put_text(&w, st->lu, sizeof st->lu);
	put_text(&w, st->reason, sizeof st->reason);
	INVARIANT(wcur_ok(&w));
	seal(buf);
}

bool record_state_parse(const uint8_t *buf, struct spool_status *ret,
			uint64_t *ret_seq)
{
	struct spool_status st = {.attempts = 0};
	struct rcur r;
	uint64_t seq;
	uint8_t state, flags;
	bool ok;

	if (!unseal(buf, state_magic, &r))
		return false;
	seq = get_64(&r);
	state = rcur_8(&r);
	flags = rcur_8(&r);
	st.state = (enum spool_state)state;
	st.repeat = flags & 1;
	st.front = flags & 2;
	st.attempts = rcur_32(&r);
	st.prints = rcur_32(&r);
	st.pages = rcur_32(&r);
	st.first_page = rcur_32(&r);
	st.changed_s = get_64(&r);
	ok = get_text(&r, st.lu, sizeof st.lu);
	ok &= get_text(&r, st.reason, sizeof st.reason);
	if (!ok || !rcur_ok(&r) || state >= SPOOL_STATES)
		return false;
	*ret = st;
	*ret_seq = seq;
	return true;
}

void record_next_emit(uint32_t next_id, uint64_t seq, uint8_t *buf)
{
	struct wcur w = begin(buf, next_magic);

	put_64(&w, seq);
	wcur_32(&w, next_id);
	seal(buf);
}

bool record_next_parse(const uint8_t *buf, uint32_t *ret_next,
		       uint64_t *ret_seq)
{
	struct rcur r;
	uint32_t next;
	uint64_t seq;

	if (!unseal(buf, next_magic, &r))
		return false;
	seq = get_64(&r);
	next = rcur_32(&r);
	if (!rcur_ok(&r) || !next || next > SPOOL_ID_MAX)
		return false;
	*ret_next = next;
	*ret_seq = seq;
	return true;
}
