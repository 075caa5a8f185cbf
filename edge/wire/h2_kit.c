/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/h2_kit.h"

enum {
	RESETS_BACKSTOP = 1000 * 1000, /* nghttp2 counts them, too; ours says why it closes */
	CONTINUATIONS = 8,             /* frames of one head after its first */
	SETTINGS_ENTRIES = 32,
	HEAD_BYTES_MAX = 256 * 1024, /* of an answer */
};

static void set_options(nghttp2_option *option)
{
	/* The window is given back as the journey takes the body. */
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_stream_reset_rate_limit(option, RESETS_BACKSTOP, RESETS_BACKSTOP);
	nghttp2_option_set_max_continuations(option, CONTINUATIONS);
	nghttp2_option_set_max_settings(option, SETTINGS_ENTRIES);
	nghttp2_option_set_max_send_header_block_length(option, HEAD_BYTES_MAX);
	nghttp2_option_set_no_closed_streams(option, 1);
	/* Frames of unknown kinds: for the guard to see them. */
	for (int type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
		if (type != NGHTTP2_PRIORITY_UPDATE)
			nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
	nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
}

enum err h2_kit_init(struct h2_kit *kit)
{
	*kit = (struct h2_kit){ 0 };
	h2_pool_init(&kit->pool);
	enum err e = h2_out_init(&kit->out);
	if (e != ERR_NONE || nghttp2_session_callbacks_new(&kit->callbacks) != 0 ||
	    nghttp2_option_new(&kit->option) != 0)
		return ERR_NO_MEMORY;
	set_options(kit->option);
	return ERR_NONE;
}

void h2_kit_fini(struct h2_kit *kit)
{
	h2_pool_fini(&kit->pool);
	h2_out_fini(&kit->out);
	nghttp2_session_callbacks_del(kit->callbacks);
	nghttp2_option_del(kit->option);
	kit->callbacks = NULL;
	kit->option = NULL;
}
