noinst_LIBRARIES += libpicture.a
# A multiplication and an addition are rounded one by one, as in the libraries that resize.c follows.
libpicture_a_CFLAGS = $(AM_CFLAGS) $(PNG_CFLAGS) $(JPEG_CFLAGS) -ffp-contract=off
libpicture_a_SOURCES = daemon/picture/jpeg.c daemon/picture/picture.c daemon/picture/png.c daemon/picture/prepare.c \
	daemon/picture/prepare_read.c daemon/picture/resize.c
PICTURE_LIBS = libpicture.a $(BASE_LIBS) $(PNG_LIBS) $(JPEG_LIBS) -lm
