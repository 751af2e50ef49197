/* Datagrams of QUIC. The input: pieces, each of a byte of flags, two of its length, and its bytes:
 * a datagram as it is, or frames in one of a client's, of either version. */
#include <stdint.h>
#include <stdlib.h>

#include "../unit/policy/quic_sample.h"
#include "policy/quic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool hear(const struct wire_message *m, void *data)
{
	const struct wire_slice *all[] = { &m->text, &m->type };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		for (size_t k = 0; k < all[i]->len; k++)
			*(unsigned int *)data += (unsigned char)all[i]->s[k];
	return m->kind != WIRE_NAME;
}

static void write_piece(struct quic *q, uint8_t flags, const uint8_t *data, size_t len)
{
	unsigned int heard = 0;
	u8 packet[QUIC_DATAGRAM];

	if (!(flags & 1)) {
		quic_write(q, data, len, hear, &heard);
		return;
	}
	quic_seal(&quic_samples[flags >> 1 & 1], quic_id, flags, data,
		  MIN(len, (size_t)QUIC_PAYLOAD), packet);
	if (quic_write(q, packet, sizeof(packet), hear, &heard) != QUIC_HELLO && heard)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(quic_free_ptr) struct quic *q = quic_new();

	while (q && size >= 3) {
		size_t len = MIN((size_t)(data[1] << 8 | data[2]), size - 3);

		write_piece(q, data[0], data + 3, len);
		data += 3 + len;
		size -= 3 + len;
	}
	return 0;
}
