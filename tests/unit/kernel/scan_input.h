/* What scan.bpf.c and its test share; match.h comes before. */
#ifndef SCAN_INPUT_H
#define SCAN_INPUT_H

struct input {
	u32 len;
	u32 candidate;
	struct bs_scan scan;
	u8 data[BS_SCAN_MAX + 2 * BS_CHUNK];
};

#endif
