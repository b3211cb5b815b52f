/* A buffer's bytes to another place in the arena, between two stages of a schedule. Both begin at a multiple of 4. */
#ifndef TF_MOVE_S8_H
#define TF_MOVE_S8_H

#include "tf_runtime.h"

/* n bytes; source and target may overlap. */
static TF_APART __attribute__((unused)) void tf_move_s8(int8_t *to, const int8_t *from, int32_t n)
{
    if ((uintptr_t)to <= (uintptr_t)from) {
        tf_move_down(to, from, n);
        return;
    }
    int32_t left = n;
    for (; (left & 3) != 0; --left) {
        to[left - 1] = from[left - 1];
    }
    for (; left > 0; left -= 4) {
        tf_copy_word(to + left - 4, from + left - 4);
    }
}

#endif
