#include "sniff.h"

#include <strings.h>

#include "base/str.h"

#define REMEDY_DOWNLOAD "download it again, for example with 'hf download'"

/* The first bytes of a wrong file, in any case of letters; what the file is; what to do. */
static const struct {
	const char *bytes, *what, *remedy;
} strangers[] = {
	{"version https://git-lfs.github.com/spec/", "a Git LFS pointer instead of the file itself",
	 "run 'git lfs install' and 'git lfs pull' in the clone, or " REMEDY_DOWNLOAD},
	{"<!doctype html", "an HTML page, such as a proxy's error or a login page", REMEDY_DOWNLOAD},
	{"<html", "an HTML page, such as a proxy's error or a login page", REMEDY_DOWNLOAD},
	{"<?xml", "an XML page, such as a file server's error", REMEDY_DOWNLOAD},
	{"PK\3\4", "a ZIP archive, as torch.save() writes",
	 "save the model again as safetensors (save_pretrained with safe_serialization=True)"},
	{"GGUF", "a GGUF file", "give the original checkpoint in safetensors"},
	{"\x1f\x8b\x08", "compressed by gzip", "unpack it"},
};

/* Skips a byte order mark and the blank lines that a page may begin with. */
static size_t
blank_len(const char *s, size_t len)
{
	size_t i = len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (i < len && strchr(" \t\r\n", s[i]) && s[i])
		i++;
	return i;
}

int
sniff_check(const void *bytes, size_t len, int code, struct err *e)
{
	const size_t blank = blank_len(bytes, len);
	const char *s = (const char *)bytes + blank;
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(strangers); i++) {
		n = strlen(strangers[i].bytes);
		if (len - blank >= n && strncasecmp(s, strangers[i].bytes, n) == 0)
			return err_set(e, code, "it is %s; %s", strangers[i].what, strangers[i].remedy);
	}
	return 0;
}

/* Counts the bytes of text at the beginning, up to the end of the line. */
static size_t
line_len(const char *s, size_t len)
{
	size_t n = 0, k;

	while (n < len && s[n] != '\n' && s[n] != '\r') {
		k = str_utf8_len(s + n, len - n);
		if (!k || (unsigned char)s[n] < ' ')
			break;
		n += k;
	}
	return n;
}

int
sniff_check_binary(const void *bytes, size_t len, int code, struct err *e)
{
	const char *s = (const char *)bytes + blank_len(bytes, len);
	const size_t n = line_len(s, MIN((size_t)40, len - (size_t)(s - (const char *)bytes)));
	int r = sniff_check(bytes, len, code, e);

	if (r < 0 || n < 8)
		return r;
	/* Do not quote the text: the reader of the message may not be allowed to read the file. */
	return err_set(e, code, "it is a text file, not binary data; " REMEDY_DOWNLOAD);
}
