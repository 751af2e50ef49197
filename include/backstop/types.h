/* Fixed-width types under the names that BPF programs use; both sides include this first. */
#ifndef BACKSTOP_TYPES_H
#define BACKSTOP_TYPES_H

#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#endif
