/*
 * The Hub token that the daemon got from systemd or its environment. Workers get neither the daemon's
 * environment nor its credentials folder, so a job that needs the Hub carries the token in its message.
 */
#ifndef SERVICE_HUB_TOKEN_H
#define SERVICE_HUB_TOKEN_H

#include "spec/spec.h"

/*
 * Finds the token for a job that may need the Hub because it names a repository, or because it is an
 * adapter that may name one: the value of HF_TOKEN, else the content of the credential 'hf_token'. For
 * other jobs *ret is NULL. Free it with hub_token_free().
 */
int hub_token_for(const struct spec *spec, char **ret, struct err *e);
void hub_token_free(char **token);

#endif
