# What colconv-parity is made of, apart from its main: the tests link it too.
noinst_LIBRARIES += libparity.a
libparity_a_SOURCES = daemon/parity/beside.c daemon/parity/cases.c daemon/parity/compare.c daemon/parity/extras.c daemon/parity/names.c daemon/parity/ort.c daemon/parity/ort_abi.c \
	daemon/parity/program.c daemon/parity/report.c daemon/parity/run.c
PARITY_LIBS = libparity.a libcheckpoint.a $(SPEC_LIBS)

bin_PROGRAMS += colconv-parity
colconv_parity_SOURCES = daemon/parity/main.c
colconv_parity_LDADD = $(PARITY_LIBS) -ldl
