/* Run-time support for firmware linked without a C library.
 *
 * Compiled with -fno-builtin so that no loop below is turned back into a call of itself. On cores with
 * unaligned word access a word copy needs no aligned pointers; Armv6-M falls back to bytes there.
 * The arithmetic helpers are for Armv6-M under clang, which has neither hardware division nor a 32 x 32 -> 64
 * multiply; gcc takes its own from libgcc. Everything here is iterative: no recursion, bounded time.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__ARM_FEATURE_UNALIGNED)
#define RT_UNALIGNED 1
#else
#define RT_UNALIGNED 0
#endif

typedef uint32_t rt_word __attribute__((may_alias, aligned(RT_UNALIGNED ? 1 : 4)));

static inline int rt_words_ok(const void *a, const void *b)
{
    return RT_UNALIGNED || ((((uintptr_t)a | (uintptr_t)b) & 3u) == 0u);
}

static inline void rt_copy_up(uint8_t *dst, const uint8_t *src, size_t n)
{
    if (rt_words_ok(dst, src)) {
        for (; n >= 16u; n -= 16u, dst += 16, src += 16) {
            const uint32_t a = ((const rt_word *)(const void *)src)[0];
            const uint32_t b = ((const rt_word *)(const void *)src)[1];
            const uint32_t c = ((const rt_word *)(const void *)src)[2];
            const uint32_t d = ((const rt_word *)(const void *)src)[3];
            ((rt_word *)(void *)dst)[0] = a;
            ((rt_word *)(void *)dst)[1] = b;
            ((rt_word *)(void *)dst)[2] = c;
            ((rt_word *)(void *)dst)[3] = d;
        }
        for (; n >= 4u; n -= 4u, dst += 4, src += 4) {
            *(rt_word *)(void *)dst = *(const rt_word *)(const void *)src;
        }
    }
    for (; n != 0u; n--) {
        *dst++ = *src++;
    }
}

static inline void rt_copy_down(uint8_t *dst, const uint8_t *src, size_t n)
{
    dst += n;
    src += n;
    if (rt_words_ok(dst, src)) {
        for (; n >= 4u; n -= 4u) {
            dst -= 4;
            src -= 4;
            *(rt_word *)(void *)dst = *(const rt_word *)(const void *)src;
        }
    }
    for (; n != 0u; n--) {
        *--dst = *--src;
    }
}

static inline void rt_fill(uint8_t *dst, uint8_t value, size_t n)
{
    const uint32_t word = (uint32_t)value * 0x01010101u;
    for (; n != 0u && ((uintptr_t)dst & 3u) != 0u; n--) {
        *dst++ = value;
    }
    for (; n >= 16u; n -= 16u, dst += 16) {
        ((rt_word *)(void *)dst)[0] = word;
        ((rt_word *)(void *)dst)[1] = word;
        ((rt_word *)(void *)dst)[2] = word;
        ((rt_word *)(void *)dst)[3] = word;
    }
    for (; n >= 4u; n -= 4u, dst += 4) {
        *(rt_word *)(void *)dst = word;
    }
    for (; n != 0u; n--) {
        *dst++ = value;
    }
}

static inline void rt_move(uint8_t *dst, const uint8_t *src, size_t n)
{
    if ((uintptr_t)dst - (uintptr_t)src >= n) {
        rt_copy_up(dst, src, n);
    } else {
        rt_copy_down(dst, src, n);
    }
}

void *memcpy(void *dst, const void *src, size_t n)
{
    rt_copy_up((uint8_t *)dst, (const uint8_t *)src, n);
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    rt_move((uint8_t *)dst, (const uint8_t *)src, n);
    return dst;
}

void *memset(void *dst, int value, size_t n)
{
    rt_fill((uint8_t *)dst, (uint8_t)value, n);
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = (const uint8_t *)a;
    const uint8_t *y = (const uint8_t *)b;
    for (; n != 0u; n--, x++, y++) {
        if (*x != *y) {
            return (int)*x - (int)*y;
        }
    }
    return 0;
}

#if defined(__arm__) && defined(__clang__)
/* The run-time ABI's names; clang calls these instead of the ones above. */
void __aeabi_memcpy(void *dst, const void *src, size_t n) __attribute__((alias("memcpy")));
void __aeabi_memcpy4(void *dst, const void *src, size_t n) __attribute__((alias("memcpy")));
void __aeabi_memcpy8(void *dst, const void *src, size_t n) __attribute__((alias("memcpy")));
void __aeabi_memmove(void *dst, const void *src, size_t n) __attribute__((alias("memmove")));
void __aeabi_memmove4(void *dst, const void *src, size_t n) __attribute__((alias("memmove")));
void __aeabi_memmove8(void *dst, const void *src, size_t n) __attribute__((alias("memmove")));

void __aeabi_memset(void *dst, size_t n, int value);
void __aeabi_memset(void *dst, size_t n, int value)
{
    rt_fill((uint8_t *)dst, (uint8_t)value, n);
}
void __aeabi_memset4(void *dst, size_t n, int value) __attribute__((alias("__aeabi_memset")));
void __aeabi_memset8(void *dst, size_t n, int value) __attribute__((alias("__aeabi_memset")));

void __aeabi_memclr(void *dst, size_t n);
void __aeabi_memclr(void *dst, size_t n)
{
    rt_fill((uint8_t *)dst, 0u, n);
}
void __aeabi_memclr4(void *dst, size_t n) __attribute__((alias("__aeabi_memclr")));
void __aeabi_memclr8(void *dst, size_t n) __attribute__((alias("__aeabi_memclr")));

typedef union {
    uint64_t whole;
    struct {
        uint32_t low;
        uint32_t high;
    } half;
} rt_pair;

static inline uint64_t rt_shift_left(uint64_t value, int count)
{
    rt_pair in = {.whole = value};
    rt_pair out = {.whole = value};
    if (count >= 32) {
        out.half.low = 0u;
        out.half.high = in.half.low << (count - 32);
    } else if (count > 0) {
        out.half.low = in.half.low << count;
        out.half.high = (in.half.high << count) | (in.half.low >> (32 - count));
    }
    return out.whole;
}

static inline uint64_t rt_shift_right(uint64_t value, int count)
{
    rt_pair in = {.whole = value};
    rt_pair out = {.whole = value};
    if (count >= 32) {
        out.half.high = 0u;
        out.half.low = in.half.high >> (count - 32);
    } else if (count > 0) {
        out.half.high = in.half.high >> count;
        out.half.low = (in.half.low >> count) | (in.half.high << (32 - count));
    }
    return out.whole;
}

/* Quotient and remainder, as the two results the run-time ABI returns in registers. */
typedef struct {
    uint64_t quotient;
    uint64_t remainder;
} rt_division64;

static inline rt_division64 rt_divide64(uint64_t numerator, uint64_t denominator)
{
    rt_division64 out = {0u, 0u};
    for (int bit = 63; bit >= 0; bit--) {
        const uint64_t top = rt_shift_right(numerator, 63);
        numerator = rt_shift_left(numerator, 1);
        out.remainder = rt_shift_left(out.remainder, 1) | top;
        out.quotient = rt_shift_left(out.quotient, 1);
        if (denominator != 0u && out.remainder >= denominator) {
            out.remainder -= denominator;
            out.quotient |= 1u;
        }
    }
    return out;
}

void tfb_udivmod64(uint64_t numerator, uint64_t denominator, rt_division64 *result);
void tfb_udivmod64(uint64_t numerator, uint64_t denominator, rt_division64 *result)
{
    *result = rt_divide64(numerator, denominator);
}

void tfb_divmod64(int64_t numerator, int64_t denominator, rt_division64 *result);
void tfb_divmod64(int64_t numerator, int64_t denominator, rt_division64 *result)
{
    const uint64_t n = numerator < 0 ? 0u - (uint64_t)numerator : (uint64_t)numerator;
    const uint64_t d = denominator < 0 ? 0u - (uint64_t)denominator : (uint64_t)denominator;
    const rt_division64 out = rt_divide64(n, d);
    const int negative = (numerator < 0) != (denominator < 0);
    result->quotient = negative ? 0u - out.quotient : out.quotient;
    result->remainder = numerator < 0 ? 0u - out.remainder : out.remainder;
}

/* {quotient in r0:r1, remainder in r2:r3}: no C type is returned that way, so two lines of assembly. */
#define RT_DIVMOD64(name, helper)                                                                                      \
    __asm__(".section .text." #name ",\"ax\",%progbits\n"                                                              \
            ".syntax unified\n"                                                                                        \
            ".thumb\n"                                                                                                 \
            ".p2align 1\n"                                                                                             \
            ".global " #name "\n"                                                                                      \
            ".type " #name ", %function\n"                                                                             \
            ".thumb_func\n" #name ":\n"                                                                                \
            "push {r6, lr}\n"                                                                                          \
            "sub sp, #24\n"                                                                                            \
            "mov r6, sp\n"                                                                                             \
            "adds r6, #8\n"                                                                                            \
            "str r6, [sp]\n"                                                                                           \
            "bl " #helper "\n"                                                                                         \
            "ldr r0, [sp, #8]\n"                                                                                       \
            "ldr r1, [sp, #12]\n"                                                                                      \
            "ldr r2, [sp, #16]\n"                                                                                      \
            "ldr r3, [sp, #20]\n"                                                                                      \
            "add sp, #24\n"                                                                                            \
            "pop {r6, pc}\n"                                                                                           \
            ".size " #name ", . - " #name "\n"                                                                         \
            ".text\n");
RT_DIVMOD64(__aeabi_uldivmod, tfb_udivmod64)
RT_DIVMOD64(__aeabi_ldivmod, tfb_divmod64)

#if __ARM_ARCH == 6
static inline uint64_t rt_divide32(uint32_t numerator, uint32_t denominator)
{
    uint32_t quotient = 0u;
    if (denominator != 0u && numerator >= denominator) {
        uint32_t bit = 1u;
        while (denominator <= numerator >> 1 && (denominator >> 31) == 0u) {
            denominator <<= 1;
            bit <<= 1;
        }
        for (; bit != 0u; bit >>= 1, denominator >>= 1) {
            if (numerator >= denominator) {
                numerator -= denominator;
                quotient |= bit;
            }
        }
    }
    const rt_pair out = {.half = {quotient, numerator}};
    return out.whole;
}

static inline uint64_t rt_divide32_signed(int32_t numerator, int32_t denominator)
{
    const uint32_t n = numerator < 0 ? 0u - (uint32_t)numerator : (uint32_t)numerator;
    const uint32_t d = denominator < 0 ? 0u - (uint32_t)denominator : (uint32_t)denominator;
    rt_pair out = {.whole = rt_divide32(n, d)};
    if ((numerator < 0) != (denominator < 0)) {
        out.half.low = 0u - out.half.low;
    }
    if (numerator < 0) {
        out.half.high = 0u - out.half.high;
    }
    return out.whole;
}

uint32_t __aeabi_uidiv(uint32_t numerator, uint32_t denominator);
uint32_t __aeabi_uidiv(uint32_t numerator, uint32_t denominator)
{
    return (uint32_t)rt_divide32(numerator, denominator);
}

uint64_t __aeabi_uidivmod(uint32_t numerator, uint32_t denominator);
uint64_t __aeabi_uidivmod(uint32_t numerator, uint32_t denominator)
{
    return rt_divide32(numerator, denominator);
}

int32_t __aeabi_idiv(int32_t numerator, int32_t denominator);
int32_t __aeabi_idiv(int32_t numerator, int32_t denominator)
{
    return (int32_t)(uint32_t)rt_divide32_signed(numerator, denominator);
}

uint64_t __aeabi_idivmod(int32_t numerator, int32_t denominator);
uint64_t __aeabi_idivmod(int32_t numerator, int32_t denominator)
{
    return rt_divide32_signed(numerator, denominator);
}

/* Low 64 bits of a 64 x 64 product out of 16 x 16 products. */
uint64_t __aeabi_lmul(uint64_t a, uint64_t b);
uint64_t __aeabi_lmul(uint64_t a, uint64_t b)
{
    const rt_pair x = {.whole = a};
    const rt_pair y = {.whole = b};
    const uint32_t xl = x.half.low & 0xffffu;
    const uint32_t xh = x.half.low >> 16;
    const uint32_t yl = y.half.low & 0xffffu;
    const uint32_t yh = y.half.low >> 16;
    const uint32_t low = xl * yl;
    const uint32_t middle = xh * yl + (low >> 16);
    const uint32_t carry = xl * yh + (middle & 0xffffu);
    rt_pair out = {.half = {(carry << 16) | (low & 0xffffu), xh * yh + (middle >> 16) + (carry >> 16)}};
    out.half.high += x.half.high * y.half.low + x.half.low * y.half.high;
    return out.whole;
}

/* Leading zeros; 32 for 0. */
static inline int rt_leading_zeros(uint32_t value)
{
    int zeros = 32;
    for (int step = 16; step != 0; step >>= 1) {
        const uint32_t high = value >> step;
        if (high != 0u) {
            zeros -= step;
            value = high;
        }
    }
    return zeros - (int)value;
}

int __clzsi2(uint32_t value);
int __clzsi2(uint32_t value)
{
    return rt_leading_zeros(value);
}

int __clzdi2(uint64_t value);
int __clzdi2(uint64_t value)
{
    const rt_pair in = {.whole = value};
    return in.half.high != 0u ? rt_leading_zeros(in.half.high) : 32 + rt_leading_zeros(in.half.low);
}

int __ctzsi2(uint32_t value);
int __ctzsi2(uint32_t value)
{
    return 31 - rt_leading_zeros(value & (0u - value));
}

int __popcountsi2(uint32_t value);
int __popcountsi2(uint32_t value)
{
    int ones = 0;
    for (; value != 0u; value &= value - 1u) {
        ones++;
    }
    return ones;
}

/* -1, 0 or 1 */
int __aeabi_lcmp(int64_t a, int64_t b);
int __aeabi_lcmp(int64_t a, int64_t b)
{
    return (a > b ? 1 : 0) - (a < b ? 1 : 0);
}

int __aeabi_ulcmp(uint64_t a, uint64_t b);
int __aeabi_ulcmp(uint64_t a, uint64_t b)
{
    return (a > b ? 1 : 0) - (a < b ? 1 : 0);
}

uint64_t __aeabi_llsl(uint64_t value, int count);
uint64_t __aeabi_llsl(uint64_t value, int count)
{
    return rt_shift_left(value, count);
}

uint64_t __aeabi_llsr(uint64_t value, int count);
uint64_t __aeabi_llsr(uint64_t value, int count)
{
    return rt_shift_right(value, count);
}

int64_t __aeabi_lasr(int64_t value, int count);
int64_t __aeabi_lasr(int64_t value, int count)
{
    const uint64_t sign = value < 0 ? ~UINT64_C(0) : 0u;
    return (int64_t)(rt_shift_right((uint64_t)value ^ sign, count) ^ sign);
}
#endif
#endif
