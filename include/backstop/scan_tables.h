/* The tables of the scan, as the policy compiler writes them into the image, as the guard loads
 * them into BPF maps, and as match.h reads them. All numbers are in host byte order. */
#ifndef BACKSTOP_SCAN_TABLES_H
#define BACKSTOP_SCAN_TABLES_H

#include "backstop/types.h"

#define BS_CLASS_BITS	  6	/* 64 classes a row; bs_class[] uses 41 */
#define BS_MAX_STATES	  65536 /* a state is a u16 */
#define BS_MAX_ACCEPTS	  16384 /* accepting states are numbered 0 .. accepts-1 */
#define BS_MAX_NEEDLES	  16384 /* needles are numbered from 1; 0 is none */
#define BS_ACCEPT_NEEDLES 7
#define BS_RULE_NEEDLES	  3    /* besides the anchor itself */
#define BS_NEEDLE_MAX	  30   /* bytes of a needle without its boundaries, see BS_OVERLAP */
#define BS_CHUNK	  4096 /* bytes scanned at a time */
#define BS_SCAN_MAX	  (128 * 1024) /* bytes of argv scanned; an action with more is a candidate */

/* The needles that end in one accepting state. */
struct bs_accept {
	u16 count; /* 1 .. BS_ACCEPT_NEEDLES */
	u16 needle[BS_ACCEPT_NEEDLES];
};

/* The rules of which one needle is the anchor, the one that is looked at: rules first ..
 * first+count-1. */
struct bs_anchor {
	u32 first;
	u32 count;
};

/* A rule's other needles; 0 is none. All of them and the anchor found: a candidate. */
struct bs_rule {
	u16 need[BS_RULE_NEEDLES];
	u16 reserved;
};

_Static_assert(sizeof(struct bs_accept) == 16, "ABI");
_Static_assert(sizeof(struct bs_anchor) == 8, "ABI");
_Static_assert(sizeof(struct bs_rule) == 8, "ABI");

#endif
