/*
 * pymatch: reads lines PATTERN TAB TEXT and prints for each whether the pattern matches at the beginning of the
 * text: 1, 0, or the name of an error.
 */
#include <stdio.h>

#include "checkpoint/pattern.h"

#define LINE_MAX_LEN 8192

static void
line_run(const char *pattern, const char *text)
{
	uint64_t budget = UINT64_C(100000000);
	struct pattern *p = NULL;
	struct err e = ERR_INIT;
	int r = pattern_new(pattern, &p, &e);

	if (r == 0)
		r = pattern_match(p, text, &budget, &e);
	pattern_free(&p);
	(void)(r < 0 ? puts(err_name(r)) : printf("%d\n", r));
}

int
main(void)
{
	char line[LINE_MAX_LEN], *tab;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		tab = strchr(line, '\t');
		if (!tab)
			return 2;
		*tab = '\0';
		line_run(line, tab + 1);
	}
	return 0;
}
