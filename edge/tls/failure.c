/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/failure.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "edge/tls/server.h"

enum { REASON_GONE = 0, REASON_OTHER = -1 };

/* The newest entry is the verdict; those before it, of other parts, are what led there. */
static int reason(void)
{
	unsigned long error = ERR_peek_last_error();
	if (error == 0)
		return REASON_GONE;
	return ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : REASON_OTHER;
}

/* OpenSSL gives alerts that came in reasons of their own. */
static bool is_alert(int why)
{
	return why >= SSL_AD_REASON_OFFSET && why < SSL_AD_REASON_OFFSET + 256;
}

enum tls_failure failure_judge(char text[FAILURE_BYTES])
{
	int why = reason();
	if (why == REASON_GONE) {
		snprintf(text, FAILURE_BYTES, "closed during the handshake");
		return TLS_FAILED_CLOSED;
	}
	if (is_alert(why)) {
		snprintf(text, FAILURE_BYTES, "refused with the alert \"%s\"",
		    SSL_alert_desc_string_long(why - SSL_AD_REASON_OFFSET));
		return TLS_FAILED_ALERT;
	}
	const char *known = ERR_reason_error_string(ERR_peek_last_error());
	snprintf(text, FAILURE_BYTES, "%s", known ? known : "TLS failed");
	return why == SSL_R_CERTIFICATE_VERIFY_FAILED ? TLS_FAILED_CERTIFICATE
						      : TLS_FAILED_PROTOCOL;
}

/* Appends, cut where the room ends. */
static void append(char text[FAILURE_BYTES], const char *more, size_t len)
{
	size_t used = strlen(text);
	size_t take = min_size(len, FAILURE_BYTES - 1 - used);
	memcpy(text + used, more, take);
	text[used + take] = '\0';
}

static void append_names(X509 *cert, char text[FAILURE_BYTES])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int count = names ? sk_GENERAL_NAME_num(names) : 0;
	for (int i = 0; i < count; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS)
			continue;
		append(text, " ", 1);
		append(text, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
		    (size_t)ASN1_STRING_length(name->d.dNSName));
	}
	GENERAL_NAMES_free(names);
}

void failure_of_certificate(X509_STORE_CTX *store, const char *name, char text[FAILURE_BYTES])
{
	int why = X509_STORE_CTX_get_error(store);
	X509 *cert = X509_STORE_CTX_get0_cert(store);
	if (why == X509_V_ERR_HOSTNAME_MISMATCH || why == X509_V_ERR_IP_ADDRESS_MISMATCH) {
		snprintf(text, FAILURE_BYTES, "the certificate is not for %s, it is for:", name);
		append_names(cert, text);
		return;
	}
	/* More than the leaf's: which of the chain it is that fails. */
	int depth = X509_STORE_CTX_get_error_depth(store);
	X509 *current = X509_STORE_CTX_get_current_cert(store);
	char subject[128] = "";
	if (depth > 0 && current)
		X509_NAME_oneline(X509_get_subject_name(current), subject, sizeof(subject));
	snprintf(text, FAILURE_BYTES, "%s%s%s", X509_verify_cert_error_string(why),
	    *subject ? ": " : "", subject);
}

bool failure_count(const SSL *ssl, struct tls_meters *meters)
{
	if (tls_server_has_refused(ssl)) {
		meter_add(&meters->failed_name, 1);
		return false;
	}
	switch (reason()) {
	case REASON_GONE: meter_add(&meters->failed_gone, 1); return false;
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		meter_add(&meters->failed_certificate, 1);
		return false;
	case SSL_R_HTTP_REQUEST: meter_add(&meters->failed_plain, 1); return true;
	default: meter_add(&meters->failed_protocol, 1); return false;
	}
}
