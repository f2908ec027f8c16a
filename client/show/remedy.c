#include "remedy.h"

#include <inttypes.h>

#include "base/str.h"

void
remedy_fill(struct buf *b, const char *words, const char *command, uint64_t id)
{
	static const char id_mark[] = "{id}", command_mark[] = "{command}";
	size_t n;

	for (;;) {
		n = strcspn(words, "{");
		buf_add(b, words, n);
		words += n;
		if (!*words)
			return;
		if (str_starts(words, id_mark)) {
			buf_printf(b, "%" PRIu64, id);
			words += strlen(id_mark);
		} else if (str_starts(words, command_mark)) {
			buf_printf(b, "%s%s", command, *command ? " " : "");
			words += strlen(command_mark);
		} else {
			buf_add(b, words++, 1);
		}
	}
}

void
remedy_add(struct buf *b, int code, const char *command, uint64_t id)
{
	const char *words = err_remedy(code);

	if (!id && strstr(words, "{id}"))
		return;
	buf_puts(b, "; ");
	remedy_fill(b, words, command, id);
}

void
remedy_storage_add(struct buf *b, int code, const char *storage)
{
	if (code == E_PARITY && str_eq(storage, "bf16"))
		buf_puts(b, "; storage bf16 rounds the weights of a checkpoint that is not bf16 itself, "
			    "and --storage same keeps them");
}
