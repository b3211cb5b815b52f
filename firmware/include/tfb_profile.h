/* Ticks of every operator, in firmware built with TINYFORGE_PROFILE; elsewhere these do nothing. */
#ifndef TFB_PROFILE_H
#define TFB_PROFILE_H

void tfb_profile_clear(void); /* an inference begins */
void tfb_profile_pause(void); /* the model returned: what follows belongs to no operator */

#endif
