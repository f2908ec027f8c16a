#include "case_file.h"

#include "test.h"

#include "base/buf.h"
#include "base/fs.h"

void
case_file_write(const char *path, const struct case_tensor *t, size_t count)
{
	_cleanup_(buf_release) struct buf header = BUF_INIT, file = BUF_INIT;
	struct err e = ERR_INIT;
	uint64_t len; /* little-endian on every machine that runs these tests */
	size_t i, at = 0;

	buf_puts(&header, "{");
	for (i = 0; i < count; i++) {
		buf_printf(&header,
			   "%s\"%s\": {\"dtype\": \"%s\", \"shape\": %s, \"data_offsets\": [%zu, %zu]}",
			   i ? ", " : "", t[i].name, t[i].dtype, t[i].shape, at, at + t[i].len);
		at += t[i].len;
	}
	buf_puts(&header, "}");
	len = header.len;
	buf_add(&file, &len, sizeof(len));
	buf_add(&file, header.data, header.len);
	for (i = 0; i < count; i++)
		buf_add(&file, t[i].data, t[i].len);
	(void)buf_failed(&file, &e);
	(void)fs_write_file(path, file.data, file.len, &e);
	assert_no_error(&e);
}
