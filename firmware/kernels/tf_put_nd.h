/* tf_copy_nd from a table in flash. */
#ifndef TF_PUT_ND_H
#define TF_PUT_ND_H

#include "tf_copy_nd.h"

TF_INLINE void tf_put_nd(void *out, const int8_t *table, int32_t in_at, int32_t out_at, int32_t n0, int32_t is0,
                         int32_t os0, int32_t n1, int32_t is1, int32_t os1, int32_t n2, int32_t is2, int32_t os2,
                         int32_t n3, int32_t is3, int32_t os3, int32_t n4, int32_t is4, int32_t os4, int32_t n5,
                         int32_t is5, int32_t os5, int32_t run)
{
    tf_copy_nd(table, out, in_at, out_at, n0, is0, os0, n1, is1, os1, n2, is2, os2, n3, is3, os3, n4, is4, os4, n5, is5,
               os5, run);
}

#endif
