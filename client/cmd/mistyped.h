/* A folder whose name was mistyped looks like a repository of the Hub: both are OWNER/NAME. */
#ifndef CLIENT_MISTYPED_H
#define CLIENT_MISTYPED_H

/* Says so on stderr when the folder OWNER is here, with the nearest of the folders in it. `repo` is OWNER/NAME. */
void mistyped_tell(const char *repo);

#endif
