/* The block in the first 4 KiB by which the RP2350's boot ROM knows an image (RP2350 datasheet 5.9.5): an executable
 * for the Arm cores in secure state; it starts through the vector table at the image's begin. */
#include <stdint.h>

extern const uint32_t tfb_image_def[5];

__attribute__((section(".tfb_image_def"), used)) const uint32_t tfb_image_def[5] = {
    0xffffded3u, /* start of a block */
    0x10210142u, /* item of 1 word, image type: executable, secure, Arm, RP2350 */
    0x000001ffu, /* last item: 1 word of items came before */
    0x00000000u, /* the next block is this one */
    0xab123579u, /* end of the block */
};
