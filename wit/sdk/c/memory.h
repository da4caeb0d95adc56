// What the files of the SDK share.
#ifndef BERTH_MEMORY_H
#define BERTH_MEMORY_H

#include "berth.h"

// A copy with a zero byte after it.
char *berth_copy(const void *data, size_t len);
// Frees everything that was allocated since the last time.
void berth_free_all(void);

#endif
