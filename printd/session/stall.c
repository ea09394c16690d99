#include "session/stall.h"

void stall_begin(struct stall *s, dur_t stall, dur_t give_up, mono_t now)
{
	*s = (struct stall){.stall = stall,
			    .give_up = give_up,
			    .since = now,
			    .watching = true};
}

bool stall_moved(struct stall *s, mono_t now)
{
	bool told = s->watching && s->told;

	s->since = now;
	s->told = false;
	return told;
}

void stall_end(struct stall *s)
{
	s->watching = s->told = false;
}

mono_t stall_deadline(const struct stall *s)
{
	if (!s->watching)
		return MONO_NEVER;
	return mono_add(s->since,
			s->told ? s->give_up : dur_min(s->stall, s->give_up));
}

enum stall_news stall_expire(struct stall *s, mono_t now)
{
	if (mono_lt(now, stall_deadline(s)))
		return STALL_NOTHING;
	if (mono_leq(mono_add(s->since, s->give_up), now)) {
		stall_end(s);
		return STALL_GIVE_UP;
	}
	s->told = true;
	return STALL_STALLED;
}
