/*
 * Ranks pages for a query in C, with ONNX Runtime's C API and libpng.
 *
 *	cc rank_pages.c -o rank_pages -I/usr/include/onnxruntime -lonnxruntime -lpng
 *	colconvctl convert CHECKPOINT -o ARTIFACT --variants text,page
 *	colconvctl embed ARTIFACT --query "How much did revenue grow?" -o query.npy
 *	./rank_pages ARTIFACT/page.onnx query.npy page-1.png page-2.png
 *
 * The graph page.onnx takes the picture itself, so there is nothing to resize or to tokenize here. The query's vectors
 * are read from a file, as a service would get them from another process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include <onnxruntime_c_api.h>

struct vectors {
	float *data; /* [n, dim], unit vectors */
	size_t n, dim;
};

struct score {
	const char *page;
	double value;
};

static const OrtApi *ort;

/* Ends the program when the runtime reports an error. */
static void
check(OrtStatus *status)
{
	if (!status)
		return;
	(void)fprintf(stderr, "%s\n", ort->GetErrorMessage(status));
	exit(1);
}

static void
fail(const char *path, const char *why)
{
	(void)fprintf(stderr, "%s: %s\n", path, why);
	exit(1);
}

/* A file of NumPy, version 1.0, with one float32 array [1, n, dim]. */
static struct vectors
query_read(const char *path)
{
	unsigned char head[10];
	char dict[65536];
	struct vectors v;
	FILE *f = fopen(path, "rb");
	const char *shape;
	size_t len;

	if (!f || fread(head, 1, sizeof(head), f) != sizeof(head) || memcmp(head, "\x93NUMPY\x01", 7) != 0)
		fail(path, "not a file of NumPy");
	len = head[8] | (size_t)head[9] << 8;
	if (fread(dict, 1, len, f) != len)
		fail(path, "is cut off");
	dict[len] = '\0';
	shape = strstr(dict, "'shape': (1, ");
	if (!shape || !strstr(dict, "<f4") || sscanf(shape, "'shape': (1, %zu, %zu)", &v.n, &v.dim) != 2)
		fail(path, "does not hold one query's vectors");
	v.data = calloc(v.n * v.dim, sizeof(*v.data));
	if (!v.data || fread(v.data, sizeof(*v.data), v.n * v.dim, f) != v.n * v.dim)
		fail(path, "is cut off");
	(void)fclose(f);
	return v;
}

/* A picture as bytes [height, width, 3]. Transparency is dropped, as the model's processor does it, not blended. */
static unsigned char *
picture_read(const char *path, int64_t shape[3])
{
	png_image png = {.version = PNG_IMAGE_VERSION};
	unsigned char *pixels;
	size_t i, count;

	if (!png_image_begin_read_from_file(&png, path))
		fail(path, png.message);
	png.format = PNG_FORMAT_RGBA;
	pixels = malloc(PNG_IMAGE_SIZE(png));
	if (!pixels || !png_image_finish_read(&png, NULL, pixels, 0, NULL))
		fail(path, png.message);
	count = (size_t)png.height * png.width;
	for (i = 0; i < count; i++)
		memmove(pixels + i * 3, pixels + i * 4, 3);
	shape[0] = png.height;
	shape[1] = png.width;
	shape[2] = 3;
	return pixels;
}

/* MaxSim: for each vector of the query its best match among those of the page, summed. */
static double
maxsim(const struct vectors *query, const float *page, size_t n)
{
	double sum = 0, best, dot;
	size_t q, p, i;

	for (q = 0; q < query->n; q++) {
		best = -2;
		for (p = 0; p < n; p++) {
			dot = 0;
			for (i = 0; i < query->dim; i++)
				dot += (double)query->data[q * query->dim + i] * page[p * query->dim + i];
			best = dot > best ? dot : best;
		}
		sum += best;
	}
	return sum;
}

static double
page_score(OrtSession *session, const OrtMemoryInfo *memory, const struct vectors *query, const char *path)
{
	const char *inputs[] = {"image"}, *outputs[] = {"embeddings"};
	OrtTensorTypeAndShapeInfo *info;
	OrtValue *image, *result = NULL;
	int64_t shape[3], dims[3];
	unsigned char *pixels = picture_read(path, shape);
	void *page;
	double value;

	check(ort->CreateTensorWithDataAsOrtValue(memory, pixels, (size_t)(shape[0] * shape[1] * 3), shape, 3,
						  ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, &image));
	check(ort->Run(session, NULL, inputs, (const OrtValue *const *)&image, 1, outputs, 1, &result));
	check(ort->GetTensorTypeAndShape(result, &info));
	check(ort->GetDimensions(info, dims, 3)); /* [1, tokens, dim] */
	check(ort->GetTensorMutableData(result, &page));
	if ((size_t)dims[2] != query->dim)
		fail(path, "the query is of another model");
	value = maxsim(query, page, (size_t)dims[1]);
	ort->ReleaseTensorTypeAndShapeInfo(info);
	ort->ReleaseValue(result);
	ort->ReleaseValue(image);
	free(pixels);
	return value;
}

static int
score_cmp(const void *a, const void *b)
{
	const struct score *x = a, *y = b;

	return (x->value < y->value) - (x->value > y->value);
}

int
main(int argc, char **argv)
{
	OrtSessionOptions *options;
	OrtMemoryInfo *memory;
	struct score *scores;
	struct vectors query;
	OrtSession *session;
	OrtEnv *env;
	int i;

	if (argc < 4)
		fail(argv[0], "give page.onnx, query.npy and pages");
	ort = OrtGetApiBase()->GetApi(17); /* ONNX Runtime 1.17 and newer */
	if (!ort)
		fail("ONNX Runtime", "is too old");
	check(ort->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "rank", &env));
	check(ort->CreateSessionOptions(&options));
	check(ort->CreateSession(env, argv[1], options, &session));
	check(ort->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));

	query = query_read(argv[2]);
	scores = calloc((size_t)argc - 3, sizeof(*scores));
	if (!scores)
		fail(argv[0], "memory ran out");
	for (i = 3; i < argc; i++)
		scores[i - 3] = (struct score){argv[i], page_score(session, memory, &query, argv[i])};
	qsort(scores, (size_t)argc - 3, sizeof(*scores), score_cmp);
	for (i = 0; i < argc - 3; i++)
		(void)printf("%.4f  %s\n", scores[i].value, scores[i].page);

	free(scores);
	free(query.data);
	ort->ReleaseMemoryInfo(memory);
	ort->ReleaseSession(session);
	ort->ReleaseSessionOptions(options);
	ort->ReleaseEnv(env);
	return 0;
}
