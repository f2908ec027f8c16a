/*
 * What a job's options ask of each other: one function for each name in the column `rule` of fields.def. All options
 * have been read when they run, in the order of the rows. The error of a rule blames the field whose rule it is.
 */
#ifndef SPEC_RULE_H
#define SPEC_RULE_H

#include "field.h"

#define FIELD(use, kind, sym, key, parent, least, most, initial, rule, ...) spec_rule_fn rule_##rule;
#include "fields.def"

#endif
