#include "log_line.h"

#include "base/log.h"
#include "base/str.h"

const char *
log_line_words(const char *line, bool all)
{
	if (line[0] != '<' || line[1] < '0' || line[1] > '7' || line[2] != '>')
		return line;
	return all || line[1] <= '0' + LOG_LEVEL_WARNING ? line + 3 : NULL;
}

void
log_held_line(struct log_held *h, const char *line, bool all, char **ret)
{
	const char *words = log_line_words(line, all);

	*ret = NULL;
	if (!words)
		return;
	if (line[0] == '<' && words != line && line[1] <= '0' + LOG_LEVEL_ERR) {
		*ret = TAKE(h->words);
		h->words = strdup(words);
	} else {
		*ret = strdup(words);
	}
}

char *
log_held_end(struct log_held *h, const char *message)
{
	char *words = TAKE(h->words);

	if (words && *message && strstr(words, message)) {
		free(words);
		return NULL;
	}
	return words;
}
