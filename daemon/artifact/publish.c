#include <inttypes.h>

#include "base/fs.h"
#include "layout.h"

/* Check, fsync, rename. First remove what an earlier publication left. */
static int
publish(const char *staging, const char *artifact, bool shared, struct artifact_list *ret, struct err *e)
{
	_cleanup_(artifact_list_release) struct artifact_list list = ARTIFACT_LIST_INIT;
	int r;

	r = layout_list(staging, shared, &list, e);
	if (r == 0)
		r = fs_sync_tree(staging, e);
	if (r == 0)
		r = fs_remove(artifact, e);
	if (r == 0)
		r = fs_rename(staging, artifact, e);
	if (r < 0)
		return r;
	*ret = list;
	list = (struct artifact_list)ARTIFACT_LIST_INIT;
	return 0;
}

/* The folder was already renamed; fsync again in case the crash came before the fsync. */
static int
publish_again(const char *state_dir, const char *artifact, bool shared, struct artifact_list *ret,
	      struct err *e)
{
	_cleanup_free_ char *parent = fs_join(state_dir, "artifacts");
	int r;

	if (!parent)
		return err_no_memory(e);
	r = fs_sync_dir(parent, e);
	return r < 0 ? r : layout_list(artifact, shared, ret, e);
}

int
artifact_publish(const char *state_dir, int64_t job, int attempt, bool shared, struct artifact_list *ret,
		 struct err *e)
{
	_cleanup_free_ char *staging = layout_staging(state_dir, job, attempt);
	_cleanup_free_ char *artifact = layout_artifact(state_dir, job);
	int r;

	if (!staging || !artifact)
		return err_no_memory(e);
	if (fs_exists(staging))
		r = publish(staging, artifact, shared, ret, e);
	else if (fs_exists(artifact))
		r = publish_again(state_dir, artifact, shared, ret, e);
	else
		return err_set(e, E_NOT_FOUND, "there is no artifact of job %" PRId64, job);
	if (r < 0)
		(void)err_context(e, "the artifact of job %" PRId64, job);
	return r;
}
