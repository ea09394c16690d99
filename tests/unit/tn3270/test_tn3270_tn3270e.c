/* Values of TN3270E: headers, functions, devices, the reasons to reject,
 * BIND images, status records. */
#include "tn3270/tn3270e.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static void header(void **state UNUSED)
{
	struct tn3270e_header h = {1, 0, 2, 0x7fff};
	uint8_t b[5];

	tn3270e_header_emit(&h, b);
	assert_memory_equal(b, ((uint8_t[]){1, 0, 2, 0x7f, 0xff}), 5);
	h = tn3270e_header_parse((uint8_t[]){8, 1, 2, 0xff, 0x01});
	assert_int_equal(h.type, TN3270E_T_PRINT_EOJ);
	assert_int_equal(h.seq, 0xff01);
}

static void functions(void **state UNUSED)
{
	uint8_t out[TN3270E_FUNCTION_COUNT];

	/* [RFC2355 7.2.2] unknown codes are left out */
	assert_int_equal(tn3270e_functions_parse((uint8_t[]){4, 0, 2, 9, 5}, 5),
			 TN3270E_F_DISPLAY);
	assert_int_equal(tn3270e_functions_emit(TN3270E_F_PRINTER, out), 4);
	assert_memory_equal(out, ((uint8_t[]){0, 1, 2, 3}), 4);
	assert_int_equal(tn3270e_functions_emit(0, out), 0);
}

static void device_kinds(void **state UNUSED)
{
	static const struct {
		const char *type;
		enum tn3270e_kind e, plain;
	} t[] = {
		{"IBM-3287-1", TN3270E_PRINTER, TN3270E_PRINTER},
		{"ibm-3287-1", TN3270E_PRINTER, TN3270E_PRINTER},
		{"IBM-3278-2", TN3270E_DISPLAY, TN3270E_DISPLAY},
		{"IBM-3278-5-E", TN3270E_DISPLAY, TN3270E_DISPLAY},
		{"IBM-DYNAMIC", TN3270E_DISPLAY, TN3270E_DISPLAY},
		{"IBM-3279-4-E", TN3270E_DISPLAY, TN3270E_DISPLAY},
		{"IBM-3277-1", TN3270E_NO_DEVICE, TN3270E_DISPLAY},
		{"IBM-3278-6", TN3270E_NO_DEVICE, TN3270E_NO_DEVICE},
		{"IBM-3278-2-X", TN3270E_NO_DEVICE, TN3270E_NO_DEVICE},
		{"IBM-3278-", TN3270E_NO_DEVICE, TN3270E_NO_DEVICE},
		{"xterm", TN3270E_NO_DEVICE, TN3270E_NO_DEVICE},
		{"", TN3270E_NO_DEVICE, TN3270E_NO_DEVICE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(tn3270e_device_kind(t[i].type, false), t[i].e);
		assert_int_equal(tn3270e_device_kind(t[i].type, true),
				 t[i].plain);
	}
}

/* [RFC2355 7.1.5] each reason in its place, and acceptance. */
static void reasons(void **state UNUSED)
{
	struct tn3270e_device by_name = {.kind = TN3270E_PRINTER,
					 .how = TN3270E_BY_NAME};
	struct tn3270e_device assoc = {.kind = TN3270E_PRINTER,
				       .how = TN3270E_BY_ASSOCIATION};
	struct tn3270e_device any = {.kind = TN3270E_DISPLAY,
				     .how = TN3270E_GENERIC};
	struct tn3270e_device no = {.kind = TN3270E_NO_DEVICE};
	struct tn3270e_facts f = {0};

	assert_int_equal(tn3270e_decide(&no, &f), TN3270E_INV_DEVICE_TYPE);
	assert_int_equal(tn3270e_decide(&by_name, &f), TN3270E_UNSUPPORTED_REQ);
	f.any_named = true;
	assert_int_equal(tn3270e_decide(&by_name, &f), TN3270E_INV_NAME);
	f.known = f.is_display = true;
	assert_int_equal(tn3270e_decide(&by_name, &f), TN3270E_TYPE_NAME_ERROR);
	f.is_display = false;
	f.is_printer = f.partner_only = true;
	assert_int_equal(tn3270e_decide(&by_name, &f), TN3270E_CONN_PARTNER);
	f.partner_only = false;
	f.in_use = true;
	assert_int_equal(tn3270e_decide(&by_name, &f), TN3270E_DEVICE_IN_USE);
	f.in_use = false;
	assert_int_equal(tn3270e_decide(&by_name, &f), -1);
	by_name.kind = TN3270E_DISPLAY;
	assert_int_equal(tn3270e_decide(&by_name, &f), TN3270E_TYPE_NAME_ERROR);

	f = (struct tn3270e_facts){0};
	assert_int_equal(tn3270e_decide(&assoc, &f), TN3270E_UNSUPPORTED_REQ);
	f.any_partner = true;
	assert_int_equal(tn3270e_decide(&assoc, &f), TN3270E_INV_NAME);
	f.known = f.is_printer = true;
	assert_int_equal(tn3270e_decide(&assoc, &f), TN3270E_INV_ASSOCIATE);
	f.is_printer = false;
	f.is_display = true;
	assert_int_equal(tn3270e_decide(&assoc, &f), TN3270E_INV_ASSOCIATE);
	f.has_partner = true;
	assert_int_equal(tn3270e_decide(&assoc, &f), TN3270E_INV_ASSOCIATE);
	f.connected = f.partner_in_use = true;
	assert_int_equal(tn3270e_decide(&assoc, &f), TN3270E_DEVICE_IN_USE);
	f.partner_in_use = false;
	assert_int_equal(tn3270e_decide(&assoc, &f), -1);
	assoc.kind = TN3270E_DISPLAY;
	assert_int_equal(tn3270e_decide(&assoc, &f), TN3270E_INV_ASSOCIATE);

	f = (struct tn3270e_facts){0};
	assert_int_equal(tn3270e_decide(&any, &f), TN3270E_UNSUPPORTED_REQ);
	f.any_generic = f.in_use = true;
	assert_int_equal(tn3270e_decide(&any, &f), TN3270E_DEVICE_IN_USE);
	f.in_use = false;
	assert_int_equal(tn3270e_decide(&any, &f), -1);
}

/* [RFC2355 10.4.1] [RFC1646 5.1] */
static void sense_codes(void **state UNUSED)
{
	assert_int_equal(tn3270e_sense(TN3270E_DEVICE_END), 0);
	assert_int_equal(tn3270e_sense(TN3270E_COMMAND_REJECT), 0x10030000);
	assert_int_equal(tn3270e_sense(TN3270E_INTERVENTION), 0x08020000);
	assert_int_equal(tn3270e_sense(TN3270E_OPERATION_CHECK), 0x10050000);
	assert_int_equal(tn3270e_sense(TN3270E_DISCONNECTED), 0x08310000);
	assert_int_equal(tn3270e_lustat(TN3270E_INTERVENTION), 0x00010000);
	assert_int_equal(tn3270e_lustat(TN3270E_DISCONNECTED), 0x082b0000);
	assert_int_equal(tn3270e_lustat(TN3270E_DEVICE_END), 0);
}

/* [RFC1646 5] what pr3287 sends, and all we write is read again. */
static void status_records(void **state UNUSED)
{
	enum tn3270e_answer a;
	uint8_t b[5];

	assert_int_equal(
		tn3270_status_parse((uint8_t[]){1, 0x6c, 0xd9, 2, 0}, 5, &a),
		0);
	assert_int_equal(a, TN3270E_DEVICE_END);
	assert_int_equal(
		tn3270_status_parse((uint8_t[]){1, 0x6c, 0xd9, 4, 0x10}, 5, &a),
		0);
	assert_int_equal(a, TN3270E_INTERVENTION);
	/* an error with device end is an error */
	assert_int_equal(
		tn3270_status_parse((uint8_t[]){1, 0x6c, 0xd9, 6, 0x20}, 5, &a),
		0);
	assert_int_equal(a, TN3270E_COMMAND_REJECT);
	for (unsigned i = 0; i < TN3270E_ANSWERS; i++) {
		tn3270_status_emit((enum tn3270e_answer)i, b);
		assert_int_equal(tn3270_status_parse(b, 5, &a), 0);
		assert_int_equal(a, i);
	}
	assert_int_equal(tn3270_status_parse(b, 4, &a), -EBADMSG);
	b[1] = 0x6b;
	assert_int_equal(tn3270_status_parse(b, 5, &a), -EBADMSG);
}

static void bind_images(void **state UNUSED)
{
	struct tn3270e_bind b = {.lu_type = 2,
				 .rows = 24,
				 .cols = 80,
				 .alt_rows = 43,
				 .alt_cols = 80,
				 .ru_max = 3840,
				 .plu = "CICS@#$9"};
	struct tn3270e_bind r;
	uint8_t ru[64];
	ssize_t n = tn3270e_bind_emit(&b, ru, sizeof(ru));

	assert_int_equal(n, 36);
	assert_int_equal(ru[0], 0x31);
	assert_int_equal(ru[14], 2);
	assert_int_equal(ru[24], 0x7f);
	assert_int_equal(tn3270e_bind_parse(ru, (size_t)n, &r), 0);
	assert_int_equal(r.lu_type, 2);
	assert_int_equal(r.rows, 24);
	assert_int_equal(r.alt_rows, 43);
	assert_int_equal(r.ru_max, 3840);
	assert_string_equal(r.plu, "CICS@#$9");
	/* cut anywhere it is short, not wrong */
	for (size_t i = 0; i < (size_t)n; i++)
		assert_int_equal(tn3270e_bind_parse(ru, i, &r),
				 i > 14 ? 0 : -EBADMSG);
	assert_int_equal(tn3270e_bind_emit(&b, ru, 20), -ENOSPC);
	b.plu[0] = 'a';
	assert_int_equal(tn3270e_bind_emit(&b, ru, sizeof(ru)), -EINVAL);
	ru[0] = 0x32;
	assert_int_equal(tn3270e_bind_parse(ru, 36, &r), -EBADMSG);
	/* the recorded VTAM BIND begins so; LU 1 has no screen */
	b = (struct tn3270e_bind){.lu_type = 1, .ru_max = 256, .plu = "JES"};
	n = tn3270e_bind_emit(&b, ru, sizeof(ru));
	assert_memory_equal(ru, ((uint8_t[]){0x31, 1, 3, 3, 0xb1}), 5);
	assert_int_equal(tn3270e_bind_parse(ru, (size_t)n, &r), 0);
	assert_int_equal(r.rows, 0);
	assert_int_equal(r.ru_max, 256);
}

static void names(void **state UNUSED)
{
	assert_string_equal(tn3270e_reason_name(1), "DEVICE-IN-USE");
	assert_string_equal(tn3270e_reason_name(99), "?");
	assert_string_equal(tn3270e_type_name(8), "PRINT-EOJ");
	assert_string_equal(tn3270e_type_name(9), "?");
	assert_string_equal(tn3270e_function_name(3), "SCS-CTL-CODES");
	assert_string_equal(tn3270e_function_name(5), "?");
	assert_string_equal(tn3270e_answer_name(TN3270E_INTERVENTION),
			    "intervention required");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(header),       cmocka_unit_test(functions),
	cmocka_unit_test(device_kinds), cmocka_unit_test(reasons),
	cmocka_unit_test(sense_codes),  cmocka_unit_test(status_records),
	cmocka_unit_test(bind_images),  cmocka_unit_test(names),
};

UNIT_MAIN(tests)
