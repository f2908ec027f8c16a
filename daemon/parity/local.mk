# What colconv-parity is made of, apart from its main: the tests link it too.
noinst_LIBRARIES += libparity.a
libparity_a_SOURCES = \
	daemon/parity/cases.c daemon/parity/cases.h \
	daemon/parity/compare.c daemon/parity/compare.h \
	daemon/parity/ort.c daemon/parity/ort.h \
	daemon/parity/ort_abi.c daemon/parity/ort_abi.h daemon/parity/ort_api.def \
	daemon/parity/report.c daemon/parity/report.h \
	daemon/parity/run.c daemon/parity/run.h
PARITY_LIBS = libparity.a libcheckpoint.a $(SPEC_LIBS)

bin_PROGRAMS += colconv-parity
colconv_parity_SOURCES = daemon/parity/main.c
colconv_parity_LDADD = $(PARITY_LIBS) -ldl
