/*
 * Rules between options of a job: one function for each name in the column `rule` of fields.def. They run
 * in the order of the rows, after all options were read. A rule's error blames the field that the rule
 * belongs to.
 */
#ifndef SPEC_RULE_H
#define SPEC_RULE_H

#include "field.h"

#define FIELD(use, kind, sym, key, parent, least, most, initial, rule, ...) spec_rule_fn rule_##rule;
#include "fields.def"

#endif
