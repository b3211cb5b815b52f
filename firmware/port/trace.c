/* Where trace builds send pieces of operator outputs: an emulator watches this address and reads the arguments. */
#include <stdint.h>

void tf_trace(int32_t op, int32_t output, const void *data, int32_t offset, int32_t n);

__attribute__((noinline)) void tf_trace(int32_t op, int32_t output, const void *data, int32_t offset, int32_t n)
{
    __asm__ volatile("" : : "r"(op), "r"(output), "r"(data), "r"(offset), "r"(n) : "memory");
}
