/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/h2_out.h"

enum err h2_out_init(struct h2_out *out)
{
	*out = (struct h2_out){ .bytes = malloc(H2_OUT_BYTES) };
	return out->bytes ? ERR_NONE : ERR_NO_MEMORY;
}

void h2_out_fini(struct h2_out *out)
{
	free(out->bytes);
	out->bytes = NULL;
}

void h2_out_clear(struct h2_out *out)
{
	out->used = 0;
	out->total = 0;
	out->count = 0;
}

bool h2_out_has_room(const struct h2_out *out)
{
	return H2_OUT_BYTES - out->used >= 9 + H2_COPY_BYTES + H2_FRAME_BYTES &&
	    out->count + H2_OUT_FRAME_IOVECS + 2 <= H2_OUT_IOVECS && out->total < H2_OUT_MAX;
}

void h2_out_add(struct h2_out *out, struct slice s)
{
	char *to = out->bytes + out->used;
	must(s.len <= H2_OUT_BYTES - out->used);
	memcpy(to, s.at, s.len);
	out->used += s.len;
	out->total += s.len;
	struct iovec *last = out->count ? &out->iov[out->count - 1] : NULL;
	if (last && (char *)last->iov_base + last->iov_len == to) {
		last->iov_len += s.len;
		return;
	}
	must(out->count < H2_OUT_IOVECS);
	out->iov[out->count++] = (struct iovec){ to, s.len };
}

void h2_out_lend(struct h2_out *out, const struct iovec *iov, int count)
{
	must(out->count + count <= H2_OUT_IOVECS);
	for (int i = 0; i < count; i++) {
		out->iov[out->count++] = iov[i];
		out->total += iov[i].iov_len;
	}
}

void h2_out_keep(const struct h2_out *out, uint64_t sent, struct buf *to)
{
	for (int i = 0; i < out->count; i++) {
		struct slice s = slice_of(out->iov[i].iov_base, out->iov[i].iov_len);
		buf_add(to, slice_from(s, min_u64(sent, s.len)));
		sent -= min_u64(sent, s.len);
	}
}
