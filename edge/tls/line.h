/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS on a connection: the layer between a conn and its socket. Records are sealed into the loop's
 * pad and leave in one write, many small answers in one record; what the socket does not take is
 * kept and goes out by itself (conn.h). An idle line holds no buffers.
 *
 *	tls_line_serve | tls_line_connect
 *	  -> tls_line_shake, again at each readiness, until it says SHAKE_DONE or SHAKE_FAILED
 *	  -> conn_read, conn_writev ... conn_close
 *
 * While it shakes hands the conn is watched for EV_READ: what the handshake writes leaves by
 * itself.
 *
 * How a peer ends: close_notify is IO_EOF. The connection's end without it is IO_EOF from a client,
 * many of which are in a hurry and whose requests say where they end; from an origin it is
 * IO_BROKEN, since an answer that ends with the connection might have been cut by anybody (RFC 8446
 * 6.1).
 *
 * With early data SHAKE_DONE comes when there is early data to read: `secure.is_early` is
 * true until the client's Finished has been read.
 */
#pragma once

#include "edge/loop/conn.h"
#include "edge/tls/client.h"
#include "edge/tls/failure.h"
#include "edge/tls/local.h"
#include "edge/tls/server.h"

enum shake {
	SHAKE_AGAIN, /* wait for EV_READ */
	SHAKE_DONE,
	SHAKE_FAILED, /* close the conn; an alert is on its way */
};

struct tls_line;

/* Lays TLS under an open conn of a client. own: goes with the conn. The local and (a ref of) the
 * server are kept. fail: ERR_NO_MEMORY: the conn is as it was. */
enum err tls_line_serve(struct conn *, struct tls_local *, struct tls_server *) ON_LOOP;
/* Lays TLS under a connected conn to an origin. name: for SNI and the name check; an IP address is
 * checked as such and sends no SNI. resume: a session to offer, or NULL. fail: ERR_NO_MEMORY, also
 * for a name that no host can have: the conn is as it was. */
enum err tls_line_connect(struct conn *, struct tls_local *, struct tls_client *, struct slice name,
    SSL_SESSION *resume) ON_LOOP;
/* Goes on with the handshake. Counts how it ends. */
enum shake tls_line_shake(struct conn *) ON_LOOP;
/* Counts a handshake that came to nothing from outside (a deadline, the end). */
void tls_line_give_up(struct conn *, bool is_late) ON_LOOP;

/* What is known after SHAKE_DONE. Borrowed: lives as long as the conn is open, also when it
 * moves. */
const struct secure *tls_line_secure(const struct conn *);
/* Whether the client chose "h2" by ALPN (RFC 7301). */
bool tls_line_is_h2(const struct conn *);
/* Whether the handshake resumed the session that was offered (RFC 8446 2.2). */
bool tls_line_is_resumed(const struct conn *);
/* Why the handshake failed: of the RFC 9209 kinds, and one line for people, static or the line's.
 * TLS_FAILED_ALERT also when the origin ended the line with an alert afterwards. */
enum tls_failure tls_line_failure(const struct conn *, const char **ret_text);
/* A session that the origin has given us since the last call: a ref of its own, or NULL. */
SSL_SESSION *tls_line_take_session(struct conn *) ON_LOOP;
