/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a PROXY header: it never reads past the end, uses what it says, tells a client that
 * is one, and says the same whether the bytes came at once or one by one.
 */
#include "edge/wire/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_client(const struct address *client)
{
	char text[64];
	must(client->any.sa_family == AF_INET || client->any.sa_family == AF_INET6);
	must(address_print(client, text, sizeof(text)) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address client = { 0 }, again = { 0 };
	size_t used = 0, used_again = 0, len = 0;
	/* A copy of its own size: the sanitizer sees a byte too far. */
	char *bytes = must_alloc(size + 1);
	memcpy(bytes, data, size);
	enum proxy_verdict verdict = proxy_read(slice_of(bytes, size), &used, &client), step;
	do
		step = proxy_read(slice_of(bytes, len), &used_again, &again);
	while (step == PROXY_MORE && ++len <= size);
	must(step == verdict || (len > size && verdict == PROXY_MORE));
	if (verdict == PROXY_TOLD || verdict == PROXY_SELF)
		must(used > 0 && used <= size && used <= PROXY_HEAD_BYTES && used == used_again);
	if (verdict == PROXY_TOLD) {
		check_client(&client);
		must(memcmp(&client, &again, sizeof(client)) == 0);
	}
	must(verdict != PROXY_MORE || size < PROXY_HEAD_BYTES);
	free(bytes);
	return 0;
}
