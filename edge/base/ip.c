/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const unsigned char v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

static struct ip ip_of_v4(const struct in_addr *v4)
{
	struct ip ip;
	memcpy(ip.bytes, v4_mapped, 12);
	memcpy(ip.bytes + 12, v4, 4);
	return ip;
}

bool ip_parse(struct slice text, struct ip *ret)
{
	char z[IP_TEXT_MAX] = "";
	struct in_addr v4;
	if (text.len == 0 || text.len >= sizeof(z) || slice_find(text, '\0') < text.len)
		return false;
	memcpy(z, text.at, text.len);
	if (inet_pton(AF_INET, z, &v4) != 1)
		return inet_pton(AF_INET6, z, ret->bytes) == 1;
	*ret = ip_of_v4(&v4);
	return true;
}

bool ip_block_parse(struct slice text, struct ip_block *ret)
{
	size_t slash = slice_find(text, '/');
	uint64_t bits;
	if (!ip_parse(slice_first(text, slash), &ret->base))
		return false;
	bool v4 = slice_find(text, ':') == text.len;
	ret->bits = 128;
	if (slash == text.len)
		return true;
	if (!slice_to_u64(slice_from(text, slash + 1), &bits) || bits > (v4 ? 32 : 128))
		return false;
	ret->bits = (unsigned)bits + (v4 ? 96 : 0);
	return true;
}

bool ip_of_sockaddr(const struct sockaddr *address, struct ip *ret)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	switch (address->sa_family) {
	case AF_INET:
		memcpy(&v4, address, sizeof(v4));
		*ret = ip_of_v4(&v4.sin_addr);
		return true;
	case AF_INET6:
		memcpy(&v6, address, sizeof(v6));
		memcpy(ret->bytes, &v6.sin6_addr, 16);
		return true;
	default: return false;
	}
}

bool ip_is_v4(struct ip ip)
{
	return memcmp(ip.bytes, v4_mapped, 12) == 0;
}

bool ip_is_in(struct ip ip, struct ip_block block)
{
	unsigned whole = block.bits / 8, rest = block.bits % 8;
	if (memcmp(ip.bytes, block.base.bytes, whole) != 0)
		return false;
	return rest == 0 || (ip.bytes[whole] ^ block.base.bytes[whole]) >> (8 - rest) == 0;
}

size_t ip_print(struct ip ip, char to[IP_TEXT_MAX])
{
	bool v4 = ip_is_v4(ip);
	inet_ntop(v4 ? AF_INET : AF_INET6, ip.bytes + (v4 ? 12 : 0), to, IP_TEXT_MAX);
	return strlen(to);
}
