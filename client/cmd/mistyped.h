/* Warns about a mistyped folder, because it looks like a repository of the Hub: both are OWNER/NAME. */
#ifndef CLIENT_MISTYPED_H
#define CLIENT_MISTYPED_H

/*
 * Warns on stderr when the folder OWNER exists here, and names the most similar folder in it. `repo` is
 * OWNER/NAME.
 */
void mistyped_tell(const char *repo);

#endif
