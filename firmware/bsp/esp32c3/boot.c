/* Two words at the begin of the flash by which the ESP32-C3's boot ROM (from chip revision 3 on) knows a program to run
 * in place: it maps the flash's first 4 MiB at 0x42000000 for code and at 0x3c000000 for data, and jumps behind them.
 */
#include <stdint.h>

extern const uint32_t tfb_direct_boot[2];

__attribute__((section(".tfb_boot"), used)) const uint32_t tfb_direct_boot[2] = {0xaedb041du, 0xaedb041du};
