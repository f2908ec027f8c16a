noinst_LIBRARIES += libtrace.a
libtrace_a_SOURCES = daemon/trace/eval.c daemon/trace/lockstep.c daemon/trace/trace.c daemon/trace/weight_factors.c
