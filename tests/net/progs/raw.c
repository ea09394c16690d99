/*
 * raw: a program as an assembler makes it, without a C library, an interpreter
 * or a dynamic section. x86-64.
 *
 *   raw connect HEX-ADDRESS HEX-PORT TEXT   sends TEXT, writes the answer
 *   raw serve   HEX-ADDRESS HEX-PORT        sends one line back to one peer,
 *                                           with its address and port in front
 * The address has 8 or 32 digits. The exit status is the number of the step
 * that failed.
 */
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1

enum {
	READ,
	WRITE,
	SOCKET = 41,
	CONNECT,
	ACCEPT,
	BIND = 49,
	LISTEN,
	PEERNAME = 52,
	EXIT = 60
};

struct name { /* struct sockaddr_in, and struct sockaddr_in6 */
	unsigned short family;
	unsigned char port[2];
	unsigned char rest[24];
};

static long call(long n, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return r;
}

static long step;

/* Ends the program when a call fails. */
static long must(long r)
{
	step++;
	if (r < 0)
		call(EXIT, step, 0, 0);
	return r;
}

static int length(const char *s)
{
	int n = 0;

	while (s[n])
		n++;
	return n;
}

static int bytes(const char *hex, unsigned char *to)
{
	int n = 0;

	for (; hex[0] && hex[1]; hex += 2) {
		int hi = hex[0] < 'a' ? hex[0] - '0' : hex[0] - 'a' + 10;
		int lo = hex[1] < 'a' ? hex[1] - '0' : hex[1] - 'a' + 10;

		to[n++] = (unsigned char)(hi * 16 + lo);
	}
	return n;
}

static char *hex(const unsigned char *b, int n, char *to)
{
	for (int i = 0; i < n; i++) {
		*to++ = "0123456789abcdef"[b[i] >> 4];
		*to++ = "0123456789abcdef"[b[i] & 15];
	}
	return to;
}

static void say(const char *text)
{
	must(call(WRITE, 1, (long)text, length(text)));
}

static void connect_to(long s, const struct name *to, long len, char *text)
{
	char b[128];
	long n;

	must(call(CONNECT, s, (long)to, len));
	must(call(WRITE, s, (long)text, length(text)));
	while ((n = must(call(READ, s, (long)b, sizeof(b)))) > 0)
		must(call(WRITE, 1, (long)b, n));
}

static void serve(long s, const struct name *own, long len, int addr_at)
{
	struct name peer;
	unsigned int peer_len = sizeof(peer);
	char b[256], *p = b;
	long c;

	must(call(BIND, s, (long)own, len));
	must(call(LISTEN, s, 5, 0));
	say("serving\n");
	c = must(call(ACCEPT, s, 0, 0));
	must(call(PEERNAME, c, (long)&peer, (long)&peer_len));
	p = hex(peer.rest + addr_at, addr_at ? 16 : 4, p);
	*p++ = ' ';
	p = hex(peer.port, 2, p);
	*p++ = ' ';
	p += must(call(READ, c, (long)p, 128));
	must(call(WRITE, c, (long)b, p - b));
}

__attribute__((used)) void begin(long *stack)
{
	char **argv = (char **)(stack + 1);
	struct name name = {0};
	int v6 = length(argv[2]) == 32;
	long len = v6 ? 28 : 16, s;

	name.family = v6 ? AF_INET6 : AF_INET;
	bytes(argv[2], name.rest + (v6 ? 4 : 0));
	bytes(argv[3], name.port);
	s = must(call(SOCKET, name.family, SOCK_STREAM, 0));
	if (argv[1][0] == 'c')
		connect_to(s, &name, len, argv[4]);
	else
		serve(s, &name, len, v6 ? 4 : 0);
	call(EXIT, 0, 0, 0);
}

__asm__(".globl _start\n"
	"_start: mov %rsp, %rdi\n"
	"and $-16, %rsp\n"
	"call begin\n");
