/* gate.c: TCP ports that take no new connection, whoever listens there. */
#include "core/impl.h"

static void set_bit(uint8_t *map, uint16_t port, bool on)
{
	uint8_t bit = (uint8_t)(1u << (port & 7));

	if (on)
		map[port >> 3] |= bit;
	else
		map[port >> 3] &= (uint8_t)~bit;
}

static bool get_bit(const uint8_t *map, uint16_t port)
{
	return map[port >> 3] & (1u << (port & 7));
}

void stack_port_suspend(struct stack *s, uint16_t port, bool suspended)
{
	set_bit(s->ports.suspended, port, suspended);
}

bool stack_port_suspended(const struct stack *s, uint16_t port)
{
	return get_bit(s->ports.suspended, port);
}

void stack_port_close(struct stack *s, uint16_t port, bool closed)
{
	set_bit(s->ports.closed, port, closed);
}

bool stack_port_closed(const struct stack *s, uint16_t port)
{
	return get_bit(s->ports.closed, port);
}
