/* How long each of many things took. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include "roles.h"

void samples_prepare(void);

/* Note that something took so many seconds; what is too much to remember is forgotten. */
void sample(double seconds);

/* Tell the median, and what 99 of 100 took at most. */
void percentiles(Count *count);

#endif
