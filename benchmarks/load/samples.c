#include "samples.h"

#include <stdlib.h>

#include "clock.h"

enum { SAMPLES = 1 << 22 };

static float *samples;
static uint64_t sampled;

void samples_prepare(void)
{
    samples = malloc(SAMPLES * sizeof *samples);
    if (samples == NULL)
        die("out of memory");
}

void sample(double seconds)
{
    if (sampled < SAMPLES)
        samples[sampled++] = (float)seconds;
}

static int compare(const void *left, const void *right)
{
    float difference = *(const float *)left - *(const float *)right;
    return (difference > 0) - (difference < 0);
}

void percentiles(Count *count)
{
    qsort(samples, sampled, sizeof *samples, compare);
    if (sampled > 0) {
        count->p50 = samples[(sampled - 1) / 2];
        count->p99 = samples[(sampled - 1) * 99 / 100];
    }
}
