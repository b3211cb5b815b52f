/* Charges the time between two reports to the operator of the first; what reporting itself takes is left out. */
#include "tfb_profile.h"

#include "tfb_model.h"
#include "tfb_port.h"

static int32_t working = -1;
static uint64_t since;

void tf_profile(int32_t op);

static void charge(void)
{
    if (working >= 0 && tfb_the_model.profile != 0) {
        tfb_the_model.profile[working] += tfb_cycles() - since;
    }
}

void tf_profile(int32_t op)
{
    charge();
    working = op;
    since = tfb_cycles();
}

void tfb_profile_pause(void)
{
    charge();
    working = -1;
}

void tfb_profile_clear(void)
{
    working = -1;
    for (uint32_t i = 0u; tfb_the_model.profile != 0 && i < tfb_the_model.operators; i++) {
        tfb_the_model.profile[i] = 0u;
    }
}
