/* Concatenation of an operand of another scale, any rank: `outer` runs of `in_run` bytes, each through a table of 256
 * (index q + 128), to out + out_at at a distance of out_run. */
#ifndef TF_MAP_RUNS_H
#define TF_MAP_RUNS_H

#include "tf_runtime.h"

TF_INLINE void tf_map_runs(const int8_t *in, int8_t *out, const int8_t *table, int32_t outer, int32_t in_run,
                           int32_t out_run, int32_t out_at)
{
    for (int32_t k = 0; k < outer; ++k) {
        for (int32_t i = 0; i < in_run; ++i) {
            out[out_at + k * out_run + i] = table[in[k * in_run + i] + 128];
        }
    }
}

#endif
