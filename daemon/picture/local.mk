noinst_LIBRARIES += libpicture.a
libpicture_a_CFLAGS = $(AM_CFLAGS) $(PNG_CFLAGS) $(JPEG_CFLAGS)
libpicture_a_SOURCES = \
	daemon/picture/format.h \
	daemon/picture/jpeg.c \
	daemon/picture/picture.c daemon/picture/picture.h \
	daemon/picture/png.c
PICTURE_LIBS = libpicture.a $(BASE_LIBS) $(PNG_LIBS) $(JPEG_LIBS)
EXTRA_DIST += daemon/picture/README.md
