/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line: what TLS costs a line, without HTTP and without a network.
 *
 *	line idle N      bytes of heap that an idle line holds, after a handshake, a ticket, an answer
 *	line answer N    microseconds to seal and write an answer of 1 KiB, head and body, N times
 *
 * The client is in the same process, and its part is not counted.
 */
#include "edge/tls/line.h"

#include <malloc.h>
#include <openssl/x509.h>
#include <sys/resource.h>
#include <unistd.h>

static struct loop loop;
static struct tls_local local;
/* As tls_server_new makes it, but for names and tickets' keys. */
static struct tls_server server = { .refs = 1 };

static void on_ready(struct conn *c, UNUSED int events)
{
	role_loop();
	char bytes[512];
	size_t got;
	if (tls_line_shake(c) == SHAKE_DONE)
		(void)conn_read(c, bytes, sizeof(bytes), &got);
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
	SSL_CTX_set_mode(server.context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(server.context, 1);
	SSL_CTX_set_num_tickets(server.context, 1);
	SSL_CTX_set_session_cache_mode(server.context, SSL_SESS_CACHE_OFF);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void write_answer(struct conn *c) ON_LOOP
{
	static char head[200], body[1024];
	struct iovec iov[] = { { head, sizeof(head) }, { body, sizeof(body) } };
	size_t sent;
	must(conn_writev(c, iov, COUNT_OF(iov), &sent) == IO_OK);
	must(sent == sizeof(head) + sizeof(body));
}

/* Opens a line and shakes hands with it. Returns the client's side. */
static SSL *visit(struct conn *c, SSL_CTX *context, int fd[2]) ON_LOOP
{
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	conn_open(c, &loop, fd[0], on_ready);
	must(tls_line_serve(c, &local, &server) == ERR_NONE);
	conn_watch(c, EV_READ);
	SSL *ssl = SSL_new(context);
	SSL_set_fd(ssl, fd[1]);
	while (SSL_connect(ssl) != 1)
		ev_run(loop.ev, EVRUN_NOWAIT);
	must(SSL_write(ssl, "GET / HTTP/1.1\r\n\r\n", 18) == 18);
	ev_run(loop.ev, EVRUN_NOWAIT);
	write_answer(c);
	return ssl;
}

static void idle(SSL_CTX *context, int lines) ON_LOOP
{
	enum { WARM = 100 };
	struct mallinfo2 before = { 0 };
	struct conn *conns = calloc((size_t)lines + WARM, sizeof(*conns));
	for (int i = 0; i < lines + WARM; i++) {
		int fd[2];
		if (i == WARM)
			before = mallinfo2();
		SSL *ssl = visit(&conns[i], context, fd);
		SSL_free(ssl); /* its socket stays: BIO_NOCLOSE */
	}
	struct mallinfo2 after = mallinfo2();
	printf("%zu bytes an idle line\n", (after.uordblks - before.uordblks) / (size_t)lines);
	for (int i = 0; i < lines + WARM; i++)
		conn_close(&conns[i]);
	free(conns);
}

static void answers(SSL_CTX *context, int count) ON_LOOP
{
	struct conn conn;
	int fd[2];
	char bytes[65536];
	int64_t spent_us = 0;
	SSL *ssl = visit(&conn, context, fd);
	for (int i = 0; i < count; i += 50) {
		struct mono begin = mono_now();
		for (int k = 0; k < 50; k++)
			write_answer(&conn);
		spent_us += mono_now().us - begin.us;
		while (read(fd[1], bytes, sizeof(bytes)) > 0)
			;
	}
	printf("%.2f us an answer of 1 KiB\n", (double)spent_us / count);
	SSL_free(ssl);
	conn_close(&conn);
}

int main(int argc, char **argv)
{
	role_loop();
	int count = argc == 3 ? atoi(argv[2]) : 0;
	struct rlimit files = { 65536, 65536 };
	if (count <= 0)
		return fprintf(stderr, "usage: line idle|answer N\n"), 2;
	setrlimit(RLIMIT_NOFILE, &files);
	must(loop_init(&loop, "bench", 0, NULL) == ERR_NONE);
	must(tls_local_init(&local) == ERR_NONE);
	make_server();
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (strcmp(argv[1], "idle") == 0)
		idle(context, count);
	else
		answers(context, count);
	SSL_CTX_free(context);
	SSL_CTX_free(server.context);
	tls_local_fini(&local);
	loop_fini(&loop);
	return 0;
}
