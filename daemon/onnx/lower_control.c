#include "lower.h"

void
lower_if(struct emit *em, const struct ir_node *n)
{
	const char *condition = emit_in(em, n->in[0]);
	struct emit_branch *then_branch = emit_branch(em, "then", n->attr.then_block);
	struct emit_branch *else_branch = emit_branch(em, "else", n->attr.else_block);

	(void)emit_result(em, "If", condition);
	emit_attr_branch(em, "then_branch", then_branch);
	emit_attr_branch(em, "else_branch", else_branch);
}
