/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text is either a configuration, whose dump then loads again, or a list of problems. And what
 * fmt makes of it, if anything, it takes again.
 */
#include "edge/conf/fmt.h"
#include "edge/conf/print.h"
#include "edge/settings/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct settings *load(struct slice text)
{
	const struct conf_source source = { SL("fuzz"), text, false };
	struct conf_errors errors;
	conf_errors_init(&errors);
	struct settings *s = settings_load(&source, 1, &errors);
	must((s == NULL) == (errors.count > 0));
	must((errors.count > 0) == (errors.text.len > 0));
	conf_errors_fini(&errors);
	return s;
}

static void check_dump(const struct settings *s)
{
	struct buf dump;
	buf_init(&dump, 0);
	conf_dump(&dump, &settings_table, s);
	struct settings *again = load(buf_slice(&dump));
	must(again != NULL);
	settings_unref(&again);
	buf_fini(&dump);
}

static bool format(struct buf *out, struct slice text)
{
	const struct conf_source source = { SL("fuzz"), text, false };
	struct conf_errors errors;
	conf_errors_init(&errors);
	bool well = conf_fmt(out, &source, &errors);
	conf_errors_fini(&errors);
	return well;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once, twice;
	struct slice text = slice_of((const char *)data, size);
	struct settings *s = load(text);
	if (s)
		check_dump(s);
	settings_unref(&s);
	buf_init(&once, 0);
	buf_init(&twice, 0);
	if (format(&once, text))
		must(format(&twice, buf_slice(&once)));
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}
