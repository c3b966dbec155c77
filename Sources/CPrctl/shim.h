#pragma once

#include <sys/prctl.h>

// Swift calls no C function with a variable number of arguments.

/// Keeps the process's memory out of core dumps, and from other processes of the same user. Returns 0, or -1 with `errno`.
static inline int prctl_set_undumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
