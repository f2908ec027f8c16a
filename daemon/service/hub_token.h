/*
 * The token of the Hub that systemd or the environment gave to the daemon. Workers get neither its
 * environment nor its credentials folder: a job that asks the Hub carries the token in its message.
 */
#ifndef SERVICE_HUB_TOKEN_H
#define SERVICE_HUB_TOKEN_H

#include "spec/spec.h"

/*
 * The value of HF_TOKEN, else the content of the credential 'hf_token', for a job that may ask the Hub: it
 * names a repository, or is an adapter that may name one. *ret is NULL otherwise. Free it by hub_token_free().
 */
int hub_token_for(const struct spec *spec, char **ret, struct err *e);
void hub_token_free(char **token);

#endif
