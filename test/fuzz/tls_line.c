/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes, sent to a line towards clients in pieces of a size that the first byte gives: it comes
 * to an end or asks for more, the pad is empty after each step, and nothing is left behind.
 */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <signal.h>
#include <unistd.h>

#include "edge/tls/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop loop;
static struct tls_local local;
static struct tls_server server = { .refs = 1, .early_data = true };

static void on_ready(struct conn *c, UNUSED int events)
{
	role_loop();
	char bytes[512];
	size_t got;
	if (tls_line_shake(c) == SHAKE_DONE)
		(void)conn_read(c, bytes, sizeof(bytes), &got);
	must(local.pad_used == 0);
}

static void make_server(void)
{
	X509 *cert = X509_new();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	must(X509_sign(cert, key, EVP_sha256()) > 0);
	server.context = SSL_CTX_new(TLS_server_method());
	must(SSL_CTX_use_certificate(server.context, cert) == 1);
	must(SSL_CTX_use_PrivateKey(server.context, key) == 1);
	SSL_CTX_set_read_ahead(server.context, 1);
	SSL_CTX_set_max_early_data(server.context, 16384);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void begin(void)
{
	static bool is_begun;
	if (is_begun)
		return;
	is_begun = true;
	signal(SIGPIPE, SIG_IGN);
	must(loop_init(&loop, "fuzz", 0, NULL) == ERR_NONE);
	must(tls_local_init(&local) == ERR_NONE);
	make_server();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conn conn;
	int fd[2];
	if (size < 2)
		return 0;
	begin();
	role_loop();
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	conn_open(&conn, &loop, fd[0], on_ready);
	must(tls_line_serve(&conn, &local, &server) == ERR_NONE);
	conn_watch(&conn, EV_READ);
	size_t step = 1 + data[0] * (size_t)8, count = 1;
	for (size_t at = 1; at < size; at += count) {
		count = min_size(step, size - at);
		if (write(fd[1], data + at, count) < 0)
			break;
		ev_run(loop.ev, EVRUN_NOWAIT);
		if (tls_line_shake(&conn) == SHAKE_FAILED)
			break;
	}
	conn_close(&conn);
	close(fd[1]);
	must(ERR_peek_error() == 0);
	return 0;
}
