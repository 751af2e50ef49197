/* The tables of the scan, as the policy compiler writes them into the image, as the guard loads
 * them into BPF maps, and as match.h reads them. All numbers are in host byte order. */
#ifndef BACKSTOP_SCAN_TABLES_H
#define BACKSTOP_SCAN_TABLES_H

#include "backstop/types.h"

#define BS_GRAM		5	  /* symbols of a part of a word, its boundaries among them */
#define BS_MAX_NEEDLES	(1 << 17) /* needles are numbered from 1; 0 is none */
#define BS_MAX_ANCHORS	(1 << 20)
#define BS_MAX_FILTER	(1 << 19) /* words of all filters together */
#define BS_MAX_BUCKETS	(1 << 18)
#define BS_MAX_LISTS	(1 << 21) /* entries of all lists together */
#define BS_LIST_MAX	64	  /* needles of one key */
#define BS_BUCKET_KEYS	8	  /* a bucket is one line of the cache */
#define BS_RULE_NEEDLES 6
#define BS_NEEDLE_MAX	64	     /* bytes of a needle without its boundaries */
#define BS_ARGV0_MAX	256	     /* bytes of argv[0] in which its name is looked for */
#define BS_CHUNK	4096	     /* bytes scanned at a time */
#define BS_SCAN_MAX	(128 * 1024) /* bytes of argv scanned; an action with more is a candidate */

/* Needles that no key has: 1 .. BS_NEEDLE_LETTERS, one a letter, is found where some word begins
 * with one dash and has that letter in it. */
#define BS_NEEDLE_LETTERS 62
#define BS_NEEDLE_QUOTE	  63 /* a byte by which a shell quotes, behind the head */
#define BS_NEEDLE_COLON	  64 /* a colon, behind the head */
#define BS_NEEDLE_DEFINES 65 /* what defines a function of a shell, where names count anywhere */
#define BS_NEEDLE_CARRIER 66 /* a name of a carrier: behind it names count anywhere */
#define BS_NEEDLE_FIRST	  67 /* of all others */

#define BS_FILTER_NAMES	  0		    /* the anchor with the filter of a head */
#define BS_FILTER_ALL	  BS_NEEDLE_CARRIER /* that with the filter of all keys */

/* Keys of words and of parts of words, see match.h; a list of 0 is no key. */
struct bs_bucket {
	u32 key[BS_BUCKET_KEYS];
	u32 list[BS_BUCKET_KEYS]; /* the first entry of the needles that the key finds */
};

/* An entry of a list: a needle and these flags. */
#define BS_LIST_LAST 0x80000000U /* no other entry follows */
#define BS_LIST_NAME 0x40000000U /* the needle is a program's name */
#define BS_LIST_MASK (BS_MAX_ANCHORS - 1)

/* Rules, first .. first+count-1: those of a name that have no other needle with a key, or of a pair
 * of a name and the needle that the fewest rules have. A pair's anchor stands behind those of all
 * needles, at the only entry of its key's list. */
struct bs_anchor {
	u32 first;
	u32 count;
	u32 filter, mask; /* in bytes: where its filter begins, and its size less a word */
};

/* All needles of a rule; 0 is none. All of them found: a candidate. */
struct bs_rule {
	u32 need[BS_RULE_NEEDLES];
};

_Static_assert(sizeof(struct bs_bucket) == 64, "ABI");
_Static_assert(sizeof(struct bs_anchor) == 16, "ABI");
_Static_assert(sizeof(struct bs_rule) == 24, "ABI");

#endif
