noinst_LIBRARIES += libqueue.a
libqueue_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
libqueue_a_SOURCES = daemon/queue/db.c daemon/queue/event.c daemon/queue/job.c daemon/queue/job_print.c daemon/queue/list.c \
	daemon/queue/lock.c daemon/queue/publish.c daemon/queue/recipe.c daemon/queue/recover.c daemon/queue/reserve.c daemon/queue/retention.c \
	daemon/queue/schema.c daemon/queue/store.c
QUEUE_LIBS = libqueue.a libartifact.a $(SPEC_LIBS) $(SQLITE_LIBS)
