/* What the scan must find, found the slow way: each pattern is looked for at each place. */
#ifndef TESTS_NAIVE_H
#define TESTS_NAIVE_H

#define BS_CLUSTER 32 /* as in match.h */
#include "backstop/key.h"
#include "policy/needles.h"

/* The class of byte `at`; before the first and behind the last there is a boundary. */
static inline u8 naive_class(const u8 *data, size_t len, size_t at)
{
	return at < len ? bs_class[data[at]] : 0;
}

static inline bool naive_pattern_at(const struct pattern *p, const u8 *data, size_t len, size_t at)
{
	size_t n = strlen(p->text);

	if (p->left && naive_class(data, len, at - 1))
		return false;
	for (size_t i = 0; i < n; i++)
		if (naive_class(data, len, at + i) != bs_class[(u8)p->text[i]])
			return false;
	return !p->right || !naive_class(data, len, at + n);
}

static inline bool naive_needle(const struct needle *n, const u8 *data, size_t len)
{
	for (size_t k = 0; k < n->patterns_count; k++)
		for (size_t at = (size_t)-1; at != len; at++)
			if (naive_pattern_at(&n->patterns[k], data, len, at))
				return true;
	return false;
}

/* Is the letter in a word that begins with one dash? */
static inline bool naive_letter(u32 letter, const u8 *data, size_t len)
{
	for (size_t at = 0; at + 1 < len; at++) {
		if (data[at] != '-' || (at && naive_class(data, len, at - 1)) ||
		    data[at + 1] == '-')
			continue;
		for (size_t i = 1; at + i < len && data[at + i]; i++)
			if (bs_letter[data[at + i]] == letter || i > BS_CLUSTER)
				return true;
	}
	return false;
}

/* Is there a () before a { or a (, perhaps behind one blank? */
static inline bool naive_defines(const u8 *data, size_t len)
{
	for (size_t at = 0; at + 2 < len; at++) {
		size_t body = at + 2 + (data[at + 2] && strchr(" \n\t", data[at + 2]));

		if (data[at] == '(' && data[at + 1] == ')' && body < len &&
		    (data[body] == '{' || data[body] == '('))
			return true;
	}
	return false;
}

static inline bool naive_has(const struct needles *n, u32 needle, const u8 *data, size_t len)
{
	if (needle >= BS_NEEDLE_CARRIER)
		return naive_needle(&n->all[needle], data, len);
	if (needle <= BS_NEEDLE_LETTERS)
		return naive_letter(needle, data, len);
	if (needle == BS_NEEDLE_DEFINES)
		return naive_defines(data, len);
	for (size_t i = 0; i < len; i++)
		if (bs_symbol[data[i]] &
		    (needle == BS_NEEDLE_QUOTE ? BS_MARK_QUOTE : BS_MARK_COLON))
			return true;
	return false;
}

/* Has the data all needles of one of the first `rules` rules? */
static inline bool naive_candidate(const struct needles *n, size_t rules, const u8 *data,
				   size_t len)
{
	for (size_t i = 0; i < rules; i++) {
		bool all = true;

		for (size_t k = 0; all && k < BS_RULE_NEEDLES; k++) {
			u32 needle = n->rules[i].needles[k];

			all = !needle || naive_has(n, needle, data, len);
		}
		if (all)
			return true;
	}
	return false;
}

#endif
