/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/duct.h"

#include <openssl/err.h>
#include <unistd.h>

/* A full pad, and the answers that reading may cause: more is a peer that only makes us answer. */
enum { HELD_BYTES = 2 * TLS_PAD_BYTES };

/* What one operation takes off the socket: OpenSSL would go on for ever with records that bring
 * nothing (key updates), and stop the loop for everyone. The socket stays readable and tells. */
enum { TURN_BYTES = 64 * 1024 };

/* ---- to the socket ---- */

static void break_off(struct duct *d)
{
	d->is_broken = true;
	d->is_eager = false; /* nothing is held for the first answer any more */
	buf_fini(&d->held);
	d->held_sent = 0;
}

/* Writes once. Returns how many bytes went. */
static size_t put(struct duct *d, const char *bytes, size_t len)
{
	ssize_t n = write(d->fd, bytes, len); /* SIGPIPE is ignored */
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		break_off(d);
	return n > 0 ? (size_t)n : 0;
}

static void hold(struct duct *d, const char *bytes, size_t len)
{
	buf_add(&d->held, slice_of(bytes, len));
	if (d->held.overflow)
		break_off(d);
}

enum io duct_push(struct duct *d)
{
	struct tls_local *local = d->local;
	size_t sent = 0, used = local->pad_used;
	local->pad_used = 0;
	if (used > 0 && !d->is_broken && duct_held(d) == 0)
		sent = put(d, local->pad, used);
	if (sent < used && !d->is_broken)
		hold(d, local->pad + sent, used - sent);
	if (d->is_broken)
		return IO_BROKEN;
	return duct_held(d) > 0 ? IO_AGAIN : IO_OK;
}

enum io duct_flush(struct duct *d)
{
	size_t due = duct_held(d);
	if (due > 0)
		d->held_sent += put(d, d->held.at + d->held_sent, due);
	if (d->is_broken)
		return IO_BROKEN;
	if (duct_held(d) > 0)
		return IO_AGAIN;
	if (due > 0)
		buf_fini(&d->held);
	d->held_sent = 0;
	d->is_eager = false;
	return IO_OK;
}

void duct_hold(struct duct *d)
{
	struct tls_local *local = d->local;
	bool is_first = duct_held(d) == 0;
	if (is_first && local->pad_used > 0)
		buf_add(&d->held, slice_of(local->pad, local->pad_used));
	if (!is_first || d->held.overflow) {
		duct_push(d);
		return;
	}
	d->is_eager = local->pad_used > 0;
	local->pad_used = 0;
}

void duct_resume(struct duct *d)
{
	struct tls_local *local = d->local;
	if (!d->is_eager || d->held_sent > 0 || d->held.len > TLS_PAD_BYTES / 4)
		return;
	must(local->pad_used == 0);
	memcpy(local->pad, d->held.at, d->held.len);
	local->pad_used = d->held.len;
	buf_fini(&d->held);
	d->is_eager = false;
}

void duct_add(struct duct *d, const char *bytes, size_t len)
{
	struct tls_local *local = d->local;
	if (TLS_PAD_BYTES - local->pad_used < len)
		duct_push(d);
	must(len <= TLS_PAD_BYTES);
	memcpy(local->pad + local->pad_used, bytes, len);
	local->pad_used += len;
}

/* ---- what OpenSSL calls ---- */

static int on_write(BIO *bio, const char *bytes, int len)
{
	role_loop();
	struct duct *d = BIO_get_data(bio);
	if (len <= 0 || d->is_broken)
		return -1;
	duct_add(d, bytes, (size_t)len);
	return len;
}

/*
 * The end of the stream is told as "not now", with a mark here: to OpenSSL it would be a failure of
 * the connection, after which it writes no answer to a client that has only closed its own side.
 */
static int on_read(BIO *bio, char *to, int room)
{
	struct duct *d = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	ssize_t n = -1;
	if (room > 0 && !d->is_drained && !d->saw_eof) {
		n = read(d->fd, to, (size_t)room);
		d->saw_eof = n == 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			d->is_broken = true;
			return -1;
		}
		d->taken += n > 0 ? (size_t)n : 0;
		d->is_drained = n < room || d->taken >= TURN_BYTES;
	}
	if (n > 0)
		return (int)n;
	BIO_set_retry_read(bio);
	return -1;
}

static long on_ctrl(UNUSED BIO *bio, int what, UNUSED long number, UNUSED void *pointer)
{
	return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "duct");
	if (!method)
		return;
	BIO_meth_set_write(method, on_write);
	BIO_meth_set_read(method, on_read);
	BIO_meth_set_ctrl(method, on_ctrl);
}

/* ---- life ---- */

enum err duct_open(struct duct *d, int fd, struct tls_local *local, SSL *ssl)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_method);
	BIO *bio = method ? BIO_new(method) : NULL;
	if (!bio)
		return ERR_NO_MEMORY;
	*d = (struct duct){ .fd = fd, .local = local };
	buf_init(&d->held, HELD_BYTES);
	BIO_set_data(bio, d);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	return ERR_NONE;
}

void duct_close(struct duct *d)
{
	buf_fini(&d->held);
}

void duct_begin(struct duct *d)
{
	must(d->local->pad_used == 0);
	d->is_drained = false;
	d->taken = 0;
	ERR_clear_error();
}
