/* Which input of a model an input of somebody's graph is, by its name. */
#ifndef SPEC_INPUT_NAME_H
#define SPEC_INPUT_NAME_H

/* "pixel_values" for "images", "PixelValues" or "model/pixel_values"; NULL: unknown. */
const char *input_name_find(const char *name);

#endif
