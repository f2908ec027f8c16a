noinst_LIBRARIES += libqueue.a
libqueue_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
libqueue_a_SOURCES = \
	daemon/queue/db.c daemon/queue/db.h daemon/queue/statements.def \
	daemon/queue/event.c daemon/queue/event.h \
	daemon/queue/job.c daemon/queue/job.h \
	daemon/queue/job_print.c daemon/queue/job_print.h \
	daemon/queue/list.c daemon/queue/list.h \
	daemon/queue/lock.c daemon/queue/lock.h \
	daemon/queue/publish.c daemon/queue/publish.h \
	daemon/queue/recover.c daemon/queue/recover.h \
	daemon/queue/reserve.c daemon/queue/reserve.h \
	daemon/queue/retention.c daemon/queue/retention.h \
	daemon/queue/schema.c daemon/queue/schema.h \
	daemon/queue/store.c daemon/queue/store.h
QUEUE_LIBS = libqueue.a libartifact.a $(SPEC_LIBS) $(SQLITE_LIBS)
