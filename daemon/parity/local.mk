# What colconv-parity is made of, apart from its main: the tests link it too.
noinst_LIBRARIES += libparity.a
libparity_a_SOURCES = \
	daemon/parity/cases.c daemon/parity/cases.h \
	daemon/parity/compare.c daemon/parity/compare.h
