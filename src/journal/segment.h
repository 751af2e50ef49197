/* Segments: the files of a journal, journal-<index>.jsonl, which sort in the order they were
 * written. */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include <stdint.h>

#include "base/util.h"

#define SEGMENT_NAME_MAX 40

struct segment_name {
	char text[SEGMENT_NAME_MAX];
};

struct segment_name segment_name(uint64_t index);

/* The index of the newest segment in the directory; 0: there is none. 0 or a negative errno. */
int segment_find_newest(int dir_fd, uint64_t *ret_index);
/* The index of the oldest segment that is newer than `index`; 0: there is none. */
int segment_find_next(int dir_fd, uint64_t index, uint64_t *ret_index);
/* The index of the newest segment that is older than `index`; 0: there is none. */
int segment_find_before(int dir_fd, uint64_t index, uint64_t *ret_index);

/* Hands over each segment, in no order. 0 or a negative errno. */
int segment_list(int dir_fd, void (*fn)(void *data, uint64_t index), void *data);

#endif
