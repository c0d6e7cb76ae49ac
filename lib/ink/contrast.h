/* Local contrast: what the finder sees of a picture. Each pixel is told by how much it differs from its
 * surroundings, measured in their deviation, so that light, shadow and paper say nothing. */
#ifndef INKPIPE_CONTRAST_H
#define INKPIPE_CONTRAST_H

#include <stddef.h>
#include <stdint.h>

#define CONTRAST_WINDOW 41  /* pixels a side of the surroundings */
#define CONTRAST_PAPER 128  /* a pixel like its surroundings */
#define CONTRAST_STEP 32    /* levels from there for one deviation */

/* Words of scratch that a picture so wide takes. */
#define CONTRAST_SCRATCH(width) (4 * (size_t)(width) + 4 * CONTRAST_WINDOW)

/* Fill contrast [height][width] from gray [height][width]; the two may not overlap. Darker than the
 * surroundings is below CONTRAST_PAPER, lighter is above. All machines give the same bytes. */
void ink_local_contrast(const uint8_t *gray, int width, int height, uint8_t *contrast, uint32_t *scratch);

#endif
