/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_curl.h - libcurl's functions, without a network: for tests of the helper cplug-etcd
 *
 * The file that includes it defines fake_serve(), which answers each request.
 */
#ifndef CPLUG_FAKE_CURL_H
#define CPLUG_FAKE_CURL_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct fake_answer {
	CURLcode failure; /* not CURLE_OK: no answer */
	long status;      /* HTTP */
	const char *text;
	size_t size;
};

/* Answers a request for a URL; token: of the header Authorization, or NULL. */
struct fake_answer fake_serve(const char *url, const char *body, const char *token);

static struct {
	const char *url, *body;
	const struct curl_slist *headers;
	size_t (*write)(char *, size_t, size_t, void *);
	void *arg;
	long status;
} fake_handle;

CURLcode curl_global_init(long flags)
{
	(void)flags;
	return CURLE_OK;
}

CURL *curl_easy_init(void)
{
	memset(&fake_handle, 0, sizeof(fake_handle));
	return &fake_handle;
}

void curl_easy_cleanup(CURL *c)
{
	(void)c;
}

CURLcode(curl_easy_setopt)(CURL *c, CURLoption option, ...)
{
	va_list ap;

	(void)c;
	va_start(ap, option);
	switch (option) {
	case CURLOPT_URL:
		fake_handle.url = va_arg(ap, const char *);
		break;
	case CURLOPT_POSTFIELDS:
		fake_handle.body = va_arg(ap, const char *);
		break;
	case CURLOPT_HTTPHEADER:
		fake_handle.headers = va_arg(ap, const struct curl_slist *);
		break;
	case CURLOPT_WRITEFUNCTION:
		fake_handle.write = va_arg(ap, size_t(*)(char *, size_t, size_t, void *));
		break;
	case CURLOPT_WRITEDATA:
		fake_handle.arg = va_arg(ap, void *);
		break;
	default:
		break;
	}
	va_end(ap);
	return CURLE_OK;
}

CURLcode(curl_easy_getinfo)(CURL *c, CURLINFO info, ...)
{
	va_list ap;

	(void)c;
	va_start(ap, info);
	if (info == CURLINFO_RESPONSE_CODE)
		*va_arg(ap, long *) = fake_handle.status;
	va_end(ap);
	return CURLE_OK;
}

/* In pieces of seven bytes, because a network gives any. */
CURLcode curl_easy_perform(CURL *c)
{
	static const char name[] = "Authorization: ";
	const char *token = NULL;
	struct fake_answer a;

	(void)c;
	for (const struct curl_slist *h = fake_handle.headers; h; h = h->next)
		if (strncmp(h->data, name, strlen(name)) == 0)
			token = h->data + strlen(name);
	a = fake_serve(fake_handle.url, fake_handle.body, token);
	if (a.failure != CURLE_OK)
		return a.failure;
	fake_handle.status = a.status;
	for (size_t at = 0, n; at < a.size; at += n) {
		char piece[7];

		n = a.size - at < sizeof(piece) ? a.size - at : sizeof(piece);
		memcpy(piece, a.text + at, n);
		if (fake_handle.write(piece, 1, n, fake_handle.arg) != n)
			return CURLE_WRITE_ERROR;
	}
	return CURLE_OK;
}

const char *curl_easy_strerror(CURLcode r)
{
	return r == CURLE_COULDNT_CONNECT ? "could not connect" : "another failure";
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
	struct curl_slist *one = calloc(1, sizeof(*one)), *last = list;

	if (!one)
		abort();
	one->data = strdup(text);
	if (!list)
		return one;
	while (last->next)
		last = last->next;
	last->next = one;
	return list;
}

void curl_slist_free_all(struct curl_slist *list)
{
	while (list) {
		struct curl_slist *next = list->next;

		free(list->data);
		free(list);
		list = next;
	}
	fake_handle.headers = NULL;
}

#endif
