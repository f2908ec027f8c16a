/* A release of ONNX Runtime as a number that can be compared: 1.25.1 is 2501. */
#ifndef ONNX_RELEASE_H
#define ONNX_RELEASE_H

#define RELEASE_LEN 32
#define RELEASE(minor, patch) (100 * (minor) + (patch))

/* "1.25.1", or "1.15" for the first of a series, into buf, which is returned. */
const char *release_str(int release, char buf[RELEASE_LEN]);

/* The release that such a text names. 0: it is not a release 1.N. */
int release_parse(const char *text);

#endif
