#include "log_line.h"

#include "base/log.h"

const char *
log_line_words(const char *line, bool all)
{
	if (line[0] != '<' || line[1] < '0' || line[1] > '7' || line[2] != '>')
		return line;
	return all || line[1] <= '0' + LOG_LEVEL_WARNING ? line + 3 : NULL;
}
