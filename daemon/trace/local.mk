noinst_LIBRARIES += libtrace.a
libtrace_a_SOURCES = \
	daemon/trace/eval.c daemon/trace/eval.h \
	daemon/trace/trace.c daemon/trace/trace.h \
	daemon/trace/weight_factors.c daemon/trace/weight_factors.h
