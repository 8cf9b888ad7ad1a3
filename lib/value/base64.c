// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * base64.c - base64 with padding (RFC 4648, section 4)
 */
#include "value/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const char *base64_encode(struct mem *m, const char *data, size_t size)
{
	char *text = mem_alloc(m, (size + 2) / 3 * 4 + 1);
	char *out = text;

	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		unsigned v = (unsigned)(uint8_t)data[i] << 16;

		v |= left > 1 ? (unsigned)(uint8_t)data[i + 1] << 8 : 0;
		v |= left > 2 ? (unsigned)(uint8_t)data[i + 2] : 0;
		*out++ = letters[v >> 18];
		*out++ = letters[v >> 12 & 63];
		*out++ = left > 1 ? letters[v >> 6 & 63] : '=';
		*out++ = left > 2 ? letters[v & 63] : '=';
	}
	return text;
}

const char *base64_decode(struct mem *m, const char *text, size_t *ret_size)
{
	size_t n = strlen(text), pad = 0;
	char *data = mem_alloc(m, n / 4 * 3 + 1);
	char *out = data;

	while (pad < 2 && pad < n && text[n - pad - 1] == '=')
		pad++;
	if (n % 4)
		return NULL;
	for (size_t i = 0; i < n; i += 4) {
		unsigned v = 0;

		for (size_t k = i; k < i + 4; k++) {
			const char *p = k < n - pad ? strchr(letters, text[k]) : letters;

			if (!p || !text[k])
				return NULL;
			v = v << 6 | (unsigned)(p - letters);
		}
		*out++ = (char)(v >> 16);
		*out++ = (char)(v >> 8);
		*out++ = (char)v;
	}
	*ret_size = n / 4 * 3 - pad;
	data[*ret_size] = '\0';
	return data;
}
