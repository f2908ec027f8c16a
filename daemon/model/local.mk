noinst_LIBRARIES += libmodel.a
libmodel_a_SOURCES = daemon/model/blocks.c daemon/model/caseinput.c daemon/model/colgemma3.c daemon/model/colidefics3.c \
	daemon/model/collfm2.c daemon/model/colministral3.c daemon/model/colmodernvbert.c daemon/model/colnanovdr.c \
	daemon/model/colpali.c daemon/model/colqwen2.c daemon/model/colqwen2_5.c daemon/model/colqwen3.c \
	daemon/model/colqwen3_5.c daemon/model/colqwen_omni.c daemon/model/decoder.c daemon/model/delta_layer.c \
	daemon/model/feeds.c daemon/model/gemma.c daemon/model/granitevisionemb.c daemon/model/guards.c daemon/model/jina_v4.c \
	daemon/model/lfm2_config.c daemon/model/llama.c daemon/model/modernbert.c daemon/model/naflex.c \
	daemon/model/nemotron_vl.c daemon/model/neomme.c daemon/model/neomme_config.c daemon/model/pixtral.c \
	daemon/model/plan.c daemon/model/pooling.c daemon/model/prompts.c daemon/model/qwen2_5vl_tower.c \
	daemon/model/qwen2vl.c daemon/model/qwen2vl_config.c daemon/model/qwen2vl_tower.c daemon/model/qwen3_5_config.c \
	daemon/model/qwen3vl_tower.c daemon/model/qwen_retriever.c daemon/model/qwen_tower.c daemon/model/registry.c \
	daemon/model/rope.c daemon/model/siglip.c daemon/model/skip_words.c daemon/model/squares.c daemon/model/tasks.c \
	daemon/model/tiles.c daemon/model/tokens.c daemon/model/width.c
MODEL_LIBS = libmodel.a libtrace.a libtorch_shim.a libgraph.a libcheckpoint.a libspec.a
