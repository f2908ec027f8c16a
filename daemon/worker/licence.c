#include "licence.h"

#include "base/str.h"

#define CARD_LEN_MAX (4u << 20)

/* Returns the next line; NULL at the end. */
static const char *
line_next(const char *p)
{
	p = strchr(p, '\n');
	return p ? p + 1 : NULL;
}

static void
id_take(const char *p, char ret[LICENCE_ID_LEN])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._+";
	const char *end;
	size_t n;

	p += strspn(p, " \t'\"");
	n = strspn(p, allowed);
	end = p + n + strspn(p + n, " \t\r'\"");
	if (n == 0 || n >= LICENCE_ID_LEN || (*end && *end != '\n' && *end != '#'))
		return;
	memcpy(ret, p, n);
	ret[n] = '\0';
}

void
licence_find(const char *card, char ret[LICENCE_ID_LEN])
{
	static const char key[] = "license:";
	const char *line;

	ret[0] = '\0';
	if (!str_starts(card, "---\n") && !str_starts(card, "---\r\n"))
		return;
	for (line = line_next(card); line && !str_starts(line, "---"); line = line_next(line))
		if (str_starts(line, key)) {
			id_take(line + strlen(key), ret);
			return;
		}
}

int
licence_read(struct folder *f, char ret[LICENCE_ID_LEN], struct err *e)
{
	_cleanup_free_ char *card = NULL;
	struct err why = ERR_INIT;
	size_t len;
	int r;

	ret[0] = '\0';
	if (!folder_has(f, HUB_CARD_FILE))
		return 0;
	r = folder_read(f, HUB_CARD_FILE, CARD_LEN_MAX, E_BAD_CHECKPOINT, &card, &len, &why);
	if (r == 0)
		licence_find(card, ret);
	/* A card that is unreadable or too long counts as one without a licence. A card that leads out of
	 * the folder is an error. */
	return r == 0 || r == E_BAD_CHECKPOINT ? 0 : err_set(e, r, "%s", why.msg);
}
