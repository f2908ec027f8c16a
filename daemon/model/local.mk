noinst_LIBRARIES += libmodel.a
libmodel_a_SOURCES = \
	daemon/model/blocks.c daemon/model/blocks.h \
	daemon/model/caseinput.c daemon/model/caseinput.h \
	daemon/model/colgemma3.c \
	daemon/model/colidefics3.c \
	daemon/model/colmodernvbert.c \
	daemon/model/colpali.c \
	daemon/model/colqwen2.c \
	daemon/model/colqwen2_5.c \
	daemon/model/colqwen3.c \
	daemon/model/decoder.c daemon/model/decoder.h \
	daemon/model/feeds.c daemon/model/feeds.h \
	daemon/model/gemma.c daemon/model/gemma.h \
	daemon/model/guards.c daemon/model/guards.h \
	daemon/model/modernbert.c daemon/model/modernbert.h \
	daemon/model/model.h \
	daemon/model/plan.c daemon/model/plan.h daemon/model/plans.def \
	daemon/model/pooling.c daemon/model/pooling.h \
	daemon/model/prompts.c \
	daemon/model/qwen2_5vl_tower.c \
	daemon/model/qwen2vl.c daemon/model/qwen2vl.h \
	daemon/model/qwen2vl_config.c daemon/model/qwen2vl_config.h \
	daemon/model/qwen2vl_tower.c \
	daemon/model/qwen3vl_tower.c \
	daemon/model/qwen_retriever.c daemon/model/qwen_retriever.h \
	daemon/model/qwen_tower.c daemon/model/qwen_tower.h \
	daemon/model/registry.c \
	daemon/model/siglip.c daemon/model/siglip.h \
	daemon/model/tiles.c daemon/model/tiles.h \
	daemon/model/tokens.c \
	daemon/model/unsupported.def
MODEL_LIBS = libmodel.a libtrace.a libtorch_shim.a libgraph.a libcheckpoint.a libspec.a
