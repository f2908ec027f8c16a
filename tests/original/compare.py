#!/usr/bin/env python3
"""Compares colconv with the original classes of transformers, live, on random models and inputs.

  compare.py [--runs N] [--seed S] [--family NAME|all] [--build DIR] [--keep DIR]

A run draws a configuration and weights, saves the checkpoint (in fp32, fp16 or bf16, one file or several, under the names
of one version of the libraries or another), has the original class embed some random batches in float32, converts the
checkpoint to all graphs, and compares these with the original. A run whose largest difference passes 1e-5 fails, unless it is
rounding. Run number N of a seed is the same whatever --runs says; --first N begins there.

Some weights make much of the rounding in float32: attention that looks at few tokens, or norms of nearly equal numbers. How
much is measured: the original class embeds the batch again in float64. The graphs may be FACTOR times as far from that as the
original in float32 is.

README.md says what must be installed.
"""
import argparse
import collections
import contextlib
import importlib.util
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "golden"))
import make  # noqa: E402
import respell  # noqa: E402

MAX_ABS = 1e-5
FACTOR = 10
VARIANTS = "text,image,unified"


def engine_class(file, name):
    """A class of colpali-engine, from its file alone: the package imports processors that need much more."""
    package = importlib.util.find_spec("colpali_engine").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location(name, pathlib.Path(package) / "models" / file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


class Draw:
    """What the random number generators of one run give."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.torch = torch.Generator().manual_seed(self.random.getrandbits(60))

    def pick(self, *options):
        return self.random.choice(options)

    def between(self, low, high):
        return self.random.randint(low, high)

    def chance(self, p):
        return self.random.random() < p

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.torch)

    def length(self):
        """Mostly short; at times 1, at times long."""
        return self.pick(1, self.between(2, 12), self.between(2, 40), self.between(41, 200))

    def kv_heads(self, heads):
        return self.pick(1, heads, self.random.choice([n for n in range(1, heads + 1) if heads % n == 0]))

    def sections(self, total):
        """Three positive numbers of that sum."""
        a, b = sorted(self.random.sample(range(1, total), 2))
        return [a, b - a, total - b]

    def fill(self, model, norm_base):
        """Random weights under which the activations keep their size; at times attention looks at few tokens only."""
        sharp = self.pick(1, 1, 2, 3)
        for name, p in model.named_parameters():
            if p.dim() > 1:
                p.data = (1 if name.endswith("embed_tokens.weight") else 1.5 / p[0].numel() ** 0.5) * self.normal(*p.shape)
                if "q_proj" in name or "k_proj" in name:
                    p.data *= sharp
            else:
                is_norm = name.endswith("weight") and ("norm" in name or "ln_q" in name or "ln_pre" in name)
                p.data = (norm_base if is_norm else 0) + 0.2 * self.normal(*p.shape)
        return model.eval()


class ColQwen2:
    name = "colqwen2"
    model = transformers.ColQwen2ForRetrieval
    modes = {"mrope": ("--positions", "mrope"), "arange": ("--positions", "arange")}
    norm_base = 1

    def __init__(self, draw):
        self.draw = draw
        heads = draw.between(1, 8)
        head_dim = 2 * draw.between(max(3, 8 // heads), 16)
        self.vocab = draw.between(64, 500)
        special = draw.random.sample(range(1, self.vocab), 4)
        self.image, self.video, self.begin, self.end = special
        self.words = [i for i in range(self.vocab) if i not in special]
        text = dict(
            vocab_size=self.vocab, hidden_size=heads * head_dim, intermediate_size=draw.between(1, 150),
            num_hidden_layers=draw.between(1, 4), num_attention_heads=heads, num_key_value_heads=draw.kv_heads(heads),
            max_position_embeddings=4096, rms_norm_eps=draw.pick(1e-6, 1e-5, 1e-3),
            tie_word_embeddings=draw.chance(0.7), bos_token_id=None, eos_token_id=None, pad_token_id=None,
            rope_parameters={"rope_type": "default", "rope_theta": draw.pick(1e6, 1e4, 5e3, 123.0),
                             "mrope_section": draw.sections(head_dim // 2)})
        heads = draw.between(1, 5)
        vision = dict(depth=draw.between(1, 4), num_heads=heads, patch_size=draw.pick(14, 14, 2, 5),
                      temporal_patch_size=draw.pick(2, 2, 1), in_channels=draw.pick(3, 3, 1))
        self.vary(text, vision, width=heads * 4 * draw.between(max(1, 4 // heads), 6))
        backbone = dict(text_config=text, vision_config=vision, image_token_id=self.image, video_token_id=self.video,
                        vision_start_token_id=self.begin, vision_end_token_id=self.end)
        self.config = self.configure(backbone, draw.pick(16, 96, 128, 320, draw.between(2, 320)))
        self.features = vision["in_channels"] * vision["temporal_patch_size"] * vision["patch_size"] ** 2

    def vary(self, text, vision, width):
        """Adds the values that this generation has beside those of all."""
        vision.update(embed_dim=width, mlp_ratio=self.draw.pick(1, 2, 3, 4), hidden_size=text["hidden_size"],
                      hidden_act="quick_gelu")

    backbone = "qwen2_vl"

    def configure(self, backbone, dim):
        return transformers.ColQwen2Config(embedding_dim=dim, vlm_config=dict(model_type=self.backbone, **backbone))

    def row(self, grids):
        """Words, and between them each image; a grid is its height and width in patches."""
        row = self.draw.random.choices(self.words, k=self.draw.between(0, 10))
        for h, w in grids:
            row += [self.begin, *[self.image] * (h * w // 4), self.end]
            row += self.draw.random.choices(self.words, k=self.draw.between(0, 10))
        return row

    def grid(self):
        side = lambda: 2 * self.draw.between(1, 7)
        return self.draw.pick((2, 2), (2, side()), (side(), 2), (side(), side()), (2, 2 * self.draw.between(10, 40)))

    def text(self):
        rows = [self.draw.random.choices(self.words, k=self.draw.length()) for _ in range(self.draw.between(1, 6))]
        return make.batch(rows, left=self.left())

    def left(self):
        return self.draw.chance(0.5)

    def images(self):
        """One image a row; or also rows without, and with several."""
        least, most = self.draw.pick((1, 1), (0, 1), (0, 3))
        rows = [[self.grid() for _ in range(self.draw.between(least, most))] for _ in range(self.draw.between(1, 5))]
        if not any(rows):
            rows[self.draw.between(0, len(rows) - 1)].append(self.grid())
        grids = [grid for row in rows for grid in row]
        pixels = torch.zeros(len(grids), max(h * w for h, w in grids), self.features)
        for i, (h, w) in enumerate(grids):
            pixels[i, :h * w] = self.draw.normal(h * w, self.features)
        ids = [self.row(row) or self.draw.random.choices(self.words, k=1) for row in rows]
        return {**make.batch(ids, left=self.left()), "pixel_values": pixels,
                "image_grid_thw": torch.tensor([[1, h, w] for h, w in grids])}

    def embed(self, model, inputs):
        out = make.run_colqwen2(model, inputs)
        # Without images the two kinds of positions are the same, or differ by a shift that nothing sees.
        return {"mrope": out["out.embeddings"], "arange": out.get("out.embeddings_arange", out["out.embeddings"])}


class ColQwen2_5(ColQwen2):
    name = "colqwen2_5"
    backbone = "qwen2_5_vl"

    def vary(self, text, vision, width):
        with_windows = self.draw.between(0, vision["depth"] - 1)
        blocks = [i for i in range(vision["depth"]) if i != with_windows and self.draw.chance(0.4)]
        vision.update(
            hidden_size=width, out_hidden_size=text["hidden_size"], intermediate_size=self.draw.between(1, 90),
            hidden_act="silu", fullatt_block_indexes=blocks,
            window_size=vision["patch_size"] * 2 * self.draw.between(1, 4) + self.draw.between(0, 1))

    def grid(self):
        """Mostly of several windows, in both directions."""
        several = tuple(2 * self.draw.between(2, 9) for _ in range(2))
        return self.draw.pick(super().grid(), several, several)


class LastToken:
    """What the engine's classes have in common that give a row the state of its last position, masked or not."""
    modes = {"mrope": ("--positions", "mrope")}
    loading = {"key_mapping": {}}  # the one that the engine's classes look for is no longer in transformers

    def left(self):
        return True

    def configure(self, backbone, dim):
        return self.model.config_class(**backbone)

    def embed(self, model, inputs):
        model.rope_deltas = None
        if "pixel_values" in inputs:
            inputs = {**inputs, "mm_token_type_ids": (inputs["input_ids"] == self.image).int()}
        return {"mrope": model("last", **inputs)}


class BiQwen2(LastToken, ColQwen2):
    name = "biqwen2"
    model = engine_class("qwen2/biqwen2/modeling_biqwen2.py", "BiQwen2")


class BiQwen2_5(LastToken, ColQwen2_5):
    name = "biqwen2_5"
    model = engine_class("qwen2_5/biqwen2_5/modeling_biqwen2_5.py", "BiQwen2_5")


class Retriever3(transformers.Qwen3VLModel):
    """What colpali-engine's ColQwen3 is, whose width is one number."""

    def __init__(self, config):
        super().__init__(config)
        self.custom_text_proj = torch.nn.Linear(config.text_config.hidden_size, config.dim)

    def forward(self, attention_mask, **inputs):
        self.rope_deltas = None
        z = self.custom_text_proj(super().forward(attention_mask=attention_mask, **inputs).last_hidden_state)
        return z / z.norm(dim=-1, keepdim=True) * attention_mask[..., None]


class ColQwen3(ColQwen2):
    name = "colqwen3"
    model = Retriever3
    modes = {"mrope": ("--positions", "mrope")}

    def vary(self, text, vision, width):
        draw, depth = self.draw, vision["depth"]
        head_dim = text["hidden_size"] // text["num_attention_heads"]
        rope = text["rope_parameters"]
        rope.update(mrope_interleaved=True)
        text.update(head_dim=head_dim, hidden_size=text["hidden_size"] + draw.pick(0, 1, 7), attention_bias=draw.chance(0.3))
        taken = draw.random.sample(range(depth), draw.between(1, min(depth, text["num_hidden_layers"])))
        vision.update(
            hidden_size=width, out_hidden_size=text["hidden_size"], intermediate_size=draw.between(1, 90),
            hidden_act="gelu_pytorch_tanh", deepstack_visual_indexes=taken,
            num_position_embeddings=draw.between(2, 12) ** 2)

    def configure(self, backbone, dim):
        config = transformers.Qwen3VLConfig(**backbone)
        config.dim = dim
        return config

    def embed(self, model, inputs):
        if "pixel_values" not in inputs:
            return {"mrope": model(**inputs)}
        grids = inputs["image_grid_thw"]
        patches = torch.cat([p[:h * w] for p, (_, h, w) in zip(inputs["pixel_values"], grids.tolist())])
        types = (inputs["input_ids"] == self.image).int()
        return {"mrope": model(**{**inputs, "pixel_values": patches}, mm_token_type_ids=types)}


class BiQwen3(LastToken, ColQwen3):
    name = "biqwen3"
    model = engine_class("qwen3/biqwen3/modeling_biqwen3.py", "BiQwen3")
    as_saved = True  # the other spellings are of classes with a projection


class ColPali:
    name = "colpali"
    model = transformers.ColPaliForRetrieval
    modes = {"trained": ("--mask-mode", "trained"), "causal": ("--mask-mode", "causal")}
    norm_base = 0  # Gemma's norms multiply by 1 + weight

    def __init__(self, draw):
        self.draw = draw
        self.side, patch, self.channels = draw.between(1, 7), draw.pick(14, 14, 3, 8), draw.pick(3, 3, 1)
        self.vocab = draw.between(64, 500)
        # Beyond the vocabulary too: such a token has no row of its own.
        self.image = draw.pick(draw.between(3, self.vocab - 1), draw.between(3, self.vocab - 1), self.vocab + 5)
        self.words = [i for i in range(self.vocab) if i != self.image]
        tokens = self.side * self.side
        heads = draw.between(1, 8)
        text = dict(
            model_type="gemma", vocab_size=self.vocab, hidden_size=draw.between(16, 120), intermediate_size=draw.between(1, 150),
            num_hidden_layers=draw.between(1, 4), num_attention_heads=heads, num_key_value_heads=draw.kv_heads(heads),
            head_dim=2 * draw.between(1, 20), max_position_embeddings=4096, rms_norm_eps=draw.pick(1e-6, 1e-5, 1e-3),
            rope_parameters={"rope_type": "default", "rope_theta": draw.pick(1e4, 1e6, 123.0)},
            num_image_tokens=tokens, bos_token_id=2, eos_token_id=1, pad_token_id=0)
        heads = draw.between(1, 5)
        # A few pixels that fill no patch are left out by the convolution.
        self.pixels = self.side * patch + draw.pick(0, 0, draw.between(0, patch - 1))
        vision = dict(
            model_type="siglip_vision_model", hidden_size=heads * draw.between(max(3, 16 // heads), 20), intermediate_size=draw.between(1, 120),
            num_hidden_layers=draw.between(1, 4), num_attention_heads=heads, image_size=self.pixels, patch_size=patch,
            num_channels=self.channels, layer_norm_eps=draw.pick(1e-6, 1e-5, 1e-3), projection_dim=text["hidden_size"],
            num_image_tokens=tokens, vision_use_head=False)
        self.config = transformers.ColPaliConfig(embedding_dim=draw.pick(16, 96, 128, 320, draw.between(2, 320)), vlm_config=dict(
            model_type="paligemma", text_config=text, vision_config=vision, image_token_index=self.image,
            projection_dim=text["hidden_size"], hidden_size=text["hidden_size"]))

    def text(self):
        rows = [self.draw.random.choices(self.words, k=self.draw.length()) for _ in range(self.draw.between(1, 6))]
        return make.batch(rows, left=self.draw.chance(0.3))

    def images(self):
        """Rows with an image, at times beside rows without."""
        shown = [True] + [self.draw.chance(0.8) for _ in range(self.draw.between(0, 4))]
        self.draw.random.shuffle(shown)
        rows = [[self.image] * (self.side * self.side if image else 0)
                + self.draw.random.choices(self.words, k=self.draw.between(1, 20)) for image in shown]
        return {**make.batch(rows, left=self.draw.chance(0.3)),
                "pixel_values": self.draw.normal(sum(shown), self.channels, self.pixels, self.pixels)}

    def embed(self, model, inputs):
        # Called without token types, the class in eager mode lets a token see only those before it.
        return {"trained": make.run_colpali(model, inputs)["out.embeddings"], "causal": model(**inputs).embeddings}


class Tiles:
    """What the families have in common whose images are tiles of one size."""
    norm_base = 1
    modes = {"trained": ()}

    def __init__(self, draw, powers):
        self.draw = draw
        self.vocab = draw.between(64, 500)
        self.image = draw.between(3, self.vocab - 1)
        self.words = [i for i in range(self.vocab) if i != self.image]
        self.factor = draw.pick(1, 2, 4) if powers else draw.pick(1, 2, 3)
        self.patches = self.factor * (draw.pick(1, 2) if powers else draw.between(1, 3))
        patch = draw.pick(2, 4, 3, 8)
        self.side = self.patches * patch
        heads = draw.between(1, 5)
        self.vision = dict(
            hidden_size=heads * draw.between(max(3, 16 // heads), 20), intermediate_size=draw.between(1, 120),
            num_hidden_layers=draw.between(1, 4), num_attention_heads=heads, image_size=self.side, patch_size=patch,
            layer_norm_eps=draw.pick(1e-6, 1e-5, 1e-3), hidden_act="gelu_pytorch_tanh")

    def text(self):
        rows = [self.draw.random.choices(self.words, k=self.draw.length()) for _ in range(self.draw.between(1, 6))]
        return make.batch(rows, left=self.left())

    def left(self):
        return self.draw.chance(0.5)

    def images(self):
        """Rows of 0 to 4 tiles, at times of parts of tiles."""
        counts = [self.draw.between(0, 4) for _ in range(self.draw.between(1, 4))]
        counts[self.draw.between(0, len(counts) - 1)] = self.draw.between(1, 5)
        each = (self.patches // self.factor) ** 2
        rows, partial = [], self.draw.chance(0.4)
        pixels = torch.zeros(len(counts), max(counts), 3, self.side, self.side)
        mask = torch.zeros(len(counts), max(counts), self.side, self.side, dtype=torch.int64)
        for i, count in enumerate(counts):
            rows.append(self.draw.random.choices(self.words, k=self.draw.between(1, 10)))
            for k in range(count):
                h, w = (self.draw.between(1, self.side) if partial else self.side for _ in range(2))
                pixels[i, k, :, :h, :w] = self.draw.normal(3, h, w)
                mask[i, k, :h, :w] = 1
                rows[-1] += [self.image] * each + self.draw.random.choices(self.words, k=self.draw.between(0, 4))
        return {**make.batch(rows, left=self.left()), "pixel_values": pixels, "pixel_attention_mask": mask}

    def embed(self, model, inputs):
        out = model(**inputs)
        return {"trained": getattr(out, "embeddings", out)}


class ColModernVBert(Tiles):
    name = "colmodernvbert"
    model = transformers.ColModernVBertForRetrieval

    def __init__(self, draw):
        super().__init__(draw, powers=False)
        heads = draw.between(1, 6)
        layers = draw.between(1, 5)
        text = dict(
            model_type="modernbert", vocab_size=self.vocab, hidden_size=heads * 2 * draw.between(max(2, 8 // heads), 16),
            intermediate_size=draw.between(1, 150), num_hidden_layers=layers, num_attention_heads=heads,
            norm_eps=draw.pick(1e-5, 1e-6, 1e-3), local_attention=draw.between(2, 40), pad_token_id=0, bos_token_id=1, eos_token_id=2,
            cls_token_id=1, sep_token_id=2, max_position_embeddings=4096,
            global_attn_every_n_layers=draw.between(1, 4),
            rope_parameters={kind: {"rope_type": "default", "rope_theta": draw.pick(1.6e5, 1e4, 123.0)}
                             for kind in ("full_attention", "sliding_attention")})
        backbone = dict(text_config=text, vision_config=dict(self.vision, model_type="siglip_vision_model", vision_use_head=False),
                        pixel_shuffle_factor=self.factor, image_token_id=self.image)
        self.config = self.wrap(backbone)

    def wrap(self, backbone):
        return transformers.ColModernVBertConfig(embedding_dim=self.draw.pick(16, 96, 128, self.draw.between(2, 320)),
                                                 vlm_config=dict(backbone, model_type="modernvbert"))


class BiModernVBert(ColModernVBert):
    name = "bimodernvbert"
    model = engine_class("modernvbert/bimodernvbert/modeling_bimodernvbert.py", "BiModernVBert")

    def wrap(self, backbone):
        return transformers.ModernVBertConfig(**backbone)

    def embed(self, model, inputs):
        return {"trained": model(None, **inputs)}


class ColIdefics3(Tiles):
    name = "colidefics3"
    model = engine_class("idefics3/colidefics3/modeling_colidefics3.py", "ColIdefics3")

    def __init__(self, draw):
        super().__init__(draw, powers=True)
        heads = draw.between(1, 8)
        text = dict(
            model_type="llama", vocab_size=self.vocab, hidden_size=heads * draw.between(max(2, 8 // heads), 16),
            intermediate_size=draw.between(1, 150), num_hidden_layers=draw.between(1, 4), num_attention_heads=heads,
            num_key_value_heads=draw.kv_heads(heads), head_dim=2 * draw.between(1, 20), rms_norm_eps=draw.pick(1e-6, 1e-5, 1e-3),
            rope_parameters={"rope_type": "default", "rope_theta": draw.pick(1e5, 1e4, 123.0)}, max_position_embeddings=4096,
            tie_word_embeddings=False, pad_token_id=2, bos_token_id=1, eos_token_id=2, hidden_act="silu")
        self.config = transformers.Idefics3Config(text_config=text, vision_config=self.vision, scale_factor=self.factor,
                                                  image_token_id=self.image, tie_word_embeddings=False)


class BiIdefics3(ColIdefics3):
    name = "biidefics3"
    model = engine_class("idefics3/biidefics3/modeling_biidefics3.py", "BiIdefics3")

    def left(self):
        return True  # the class takes the last position, masked or not

    def embed(self, model, inputs):
        return {"trained": model("last", **inputs)}


class ColGemma3:
    name = "colgemma3"
    model = engine_class("gemma3/colgemma3/modeling_colgemma.py", "ColGemma3")
    modes = {"trained": ()}
    norm_base = 0  # Gemma's norms multiply by 1 + weight

    def __init__(self, draw):
        self.draw = draw
        self.vocab = draw.between(64, 500)
        # Beyond the vocabulary too: such a token has no row of its own.
        self.image = draw.pick(draw.between(5, self.vocab - 1), draw.between(5, self.vocab - 1), self.vocab + 5)
        self.words = [i for i in range(5, self.vocab) if i != self.image]
        self.tokens, pooled, patch = draw.between(1, 4) ** 2, draw.between(1, 3), draw.pick(2, 3, 14)
        self.side = int(self.tokens ** 0.5) * pooled * patch
        layers, heads = draw.between(1, 5), draw.between(1, 8)
        text = dict(
            model_type="gemma3_text", vocab_size=self.vocab, hidden_size=heads * draw.between(max(2, 16 // heads), 20),
            intermediate_size=draw.between(1, 150), num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=draw.kv_heads(heads),
            head_dim=2 * draw.between(1, 20), rms_norm_eps=draw.pick(1e-6, 1e-5, 1e-3), query_pre_attn_scalar=draw.between(4, 60),
            sliding_window=draw.between(1, 40), layer_types=[draw.pick("sliding_attention", "full_attention") for _ in range(layers)],
            hidden_activation="gelu_pytorch_tanh", max_position_embeddings=4096, pad_token_id=0, bos_token_id=2, eos_token_id=1,
            rope_parameters={"full_attention": {"rope_type": "linear", "factor": draw.pick(8.0, 1.0, 3.0),
                                                "rope_theta": draw.pick(1e6, 1e4, 123.0)},
                             "sliding_attention": {"rope_type": "default", "rope_theta": draw.pick(1e4, 123.0)}})
        heads = draw.between(1, 5)
        vision = dict(
            model_type="siglip_vision_model", hidden_size=heads * draw.between(max(3, 16 // heads), 20),
            intermediate_size=draw.between(1, 120), num_hidden_layers=draw.between(1, 4), num_attention_heads=heads,
            image_size=self.side, patch_size=patch, layer_norm_eps=draw.pick(1e-6, 1e-5, 1e-3), vision_use_head=False)
        self.config = transformers.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=self.tokens,
                                                image_token_index=self.image, boi_token_index=3, eoi_token_index=4)

    def text(self):
        rows = [self.draw.random.choices(self.words, k=self.draw.length()) for _ in range(self.draw.between(1, 6))]
        return make.batch(rows, left=self.draw.chance(0.5))

    def images(self):
        """Rows of 0 to 3 images, at times one behind the other without a word between them: the class sees them as one."""
        counts = [self.draw.between(0, 3) for _ in range(self.draw.between(1, 4))]
        counts[self.draw.between(0, len(counts) - 1)] = self.draw.between(1, 3)
        rows, apart = [], self.draw.chance(0.7)
        for count in counts:
            rows.append(self.draw.random.choices(self.words, k=self.draw.between(1, 10)))
            for _ in range(count):
                rows[-1] += [3, *[self.image] * self.tokens, 4] if apart else [self.image] * self.tokens
            rows[-1] += self.draw.random.choices(self.words, k=self.draw.between(0, 10))
        return {**make.batch(rows, left=self.draw.chance(0.5)), "pixel_values": self.draw.normal(sum(counts), 3, self.side, self.side)}

    def embed(self, model, inputs):
        if "pixel_values" in inputs:
            inputs = {**inputs, "token_type_ids": (inputs["input_ids"] == self.image).long()}
        return {"trained": model(**inputs)}


class ColMinistral3(transformers.Mistral3PreTrainedModel):
    """sauerkrautlm-colpali's class over transformers' own: the projection, the length that it divides by, and the mask."""

    def __init__(self, config):
        super().__init__(config)
        self.model = transformers.Mistral3Model(config)
        self.custom_text_proj = torch.nn.Linear(config.text_config.hidden_size, config.dim, bias=False)
        self.post_init()

    def forward(self, attention_mask, **inputs):
        states = self.model(attention_mask=attention_mask, use_cache=False, **inputs).last_hidden_state
        z = self.custom_text_proj(states)
        return z / (z.norm(dim=-1, keepdim=True) + 1e-8) * attention_mask.unsqueeze(-1)


class Ministral3:
    name = "colministral3"
    model = ColMinistral3
    modes = {"trained": ()}
    norm_base = 1

    def __init__(self, draw):
        self.draw = draw
        self.vocab = draw.between(64, 500)
        self.image = draw.between(5, self.vocab - 1)
        self.words = [i for i in range(5, self.vocab) if i != self.image]
        self.merge, self.patch = draw.between(1, 3), draw.pick(2, 3, 4)
        heads = draw.between(1, 8)
        rope = {"rope_type": "yarn", "rope_theta": draw.pick(1e6, 1e4, 123.0), "factor": draw.pick(1.0, 4.0, 16.0),
                "original_max_position_embeddings": draw.between(2, 60), "llama_4_scaling_beta": draw.pick(0.1, 0.5, 0.0),
                **draw.pick({}, {"beta_fast": 16.0}, {"beta_slow": 2.0, "truncate": False}),
                **draw.pick({}, {"mscale": 1.0, "mscale_all_dim": 1.0}, {"mscale": 0.7, "mscale_all_dim": 1.3}, {"attention_factor": 1.2})}
        if draw.chance(0.2):
            rope = {"rope_type": "default", **{key: rope[key] for key in ("rope_theta", "original_max_position_embeddings", "llama_4_scaling_beta")}}
        text = dict(
            model_type="ministral3", vocab_size=self.vocab, hidden_size=draw.between(8, 90), intermediate_size=draw.between(1, 150),
            num_hidden_layers=draw.between(1, 5), num_attention_heads=heads, num_key_value_heads=draw.kv_heads(heads),
            head_dim=2 * draw.between(2, 20), rms_norm_eps=draw.pick(1e-6, 1e-5, 1e-3), max_position_embeddings=4096, sliding_window=None,
            rope_parameters=rope, pad_token_id=0, bos_token_id=1, eos_token_id=2)
        heads, layers = draw.between(1, 5), draw.between(1, 4)
        vision = dict(
            model_type="pixtral", hidden_size=heads * 4 * draw.between(2, 6), intermediate_size=draw.between(1, 120), num_hidden_layers=layers,
            num_attention_heads=heads, image_size=64, patch_size=self.patch, hidden_act=draw.pick("silu", "gelu"),
            rope_parameters={"rope_type": "axial", "rope_theta": draw.pick(1e4, 123.0)})
        self.config = transformers.Mistral3Config(
            text_config=text, vision_config=vision, image_token_index=self.image, spatial_merge_size=self.merge, dim=draw.between(1, 130),
            vision_feature_layer=draw.pick(-1, -1, draw.between(-layers - 1, -1), draw.between(1, layers)), multimodal_projector_bias=draw.chance(0.3))

    def text(self):
        rows = [self.draw.random.choices(self.words, k=self.draw.length()) for _ in range(self.draw.between(1, 6))]
        return make.batch(rows, left=self.draw.chance(0.5))

    def images(self):
        """Rows of 0 to 3 images of any sizes; more than one token, of which the class takes an axis away."""
        counts = [self.draw.between(0, 3) for _ in range(self.draw.between(1, 4))]
        counts[self.draw.between(0, len(counts) - 1)] = self.draw.between(1, 3)
        sides = [(self.draw.between(1, 7), self.draw.between(2, 7)) for _ in range(sum(counts))]
        rows, left = [], iter(sides)
        for count in counts:
            rows.append(self.draw.random.choices(self.words, k=self.draw.between(1, 10)))
            for h, w in [next(left) for _ in range(count)]:
                for _ in range(h):
                    rows[-1] += [self.image] * w + self.draw.random.choices(self.words, k=self.draw.between(0, 1))
        side = self.merge * self.patch
        pixels = torch.zeros(len(sides), 3, max(h for h, _ in sides) * side, max(w for _, w in sides) * side)
        for image, (h, w) in zip(pixels, sides):
            image[:, :h * side, :w * side] = self.draw.normal(3, h * side, w * side)
        return {**make.batch(rows, left=self.draw.chance(0.5)), "pixel_values": pixels,
                "image_sizes": torch.tensor([(h * side, w * side) for h, w in sides])}

    def embed(self, model, inputs):
        positions = torch.arange(inputs["input_ids"].shape[1]).expand(inputs["input_ids"].shape)
        return {"trained": model(position_ids=positions, **inputs)}


FAMILIES = {family.name: family for family in (
    ColQwen2, BiQwen2, ColQwen2_5, BiQwen2_5, ColQwen3, BiQwen3, ColPali, ColModernVBert, BiModernVBert, ColIdefics3, BiIdefics3,
    ColGemma3, Ministral3)}


def save_checkpoint(draw, family, folder):
    """Saves random weights as a library would; answers the model as the original class loads it, and in words how it lies."""
    model = family.model._from_config(family.config, attn_implementation="eager")
    dtype = draw.pick("float32", "float32", "bfloat16", "float16")
    size = draw.pick("1GB", "1GB", "100KB")
    layouts = [layout for name, layout in respell.PREFIXES if name == family.config.model_type]
    layout = draw.pick(None, *layouts) if not getattr(family, "as_saved", False) else None
    plain = folder / "plain"
    draw.fill(model, family.norm_base).to(getattr(torch, dtype)).save_pretrained(plain, max_shard_size=size)
    if family.model is Retriever3:
        config = json.loads((plain / "config.json").read_text())
        (plain / "config.json").write_text(json.dumps({**config, "architectures": ["ColQwen3"]}))
    # Loaded again, as users do: a model that was rounded in place has rounded rope frequencies too.
    loading = getattr(family, "loading", {})
    model = family.model.from_pretrained(plain, dtype=torch.float32, attn_implementation="eager", **loading).eval()
    if layout:
        respell.respell(layout, plain, folder / "checkpoint")
        shutil.rmtree(plain)
    else:
        plain.rename(folder / "checkpoint")
    return model, f"{dtype} {layout or 'as saved'}{' sharded' if size == '100KB' else ''}"


class Case:
    """A batch, and what the original class makes of it."""

    def __init__(self, path, inputs, out):
        self.path, self.inputs = path, inputs
        self.tensors = {"in." + k: v for k, v in inputs.items()} | {"out.embeddings": out}
        self.save()

    def save(self):
        save_file({k: v.contiguous() for k, v in self.tensors.items()}, self.path)

    def add_exact(self, exact):
        """Adds what float64 gives; answers how far the original in float32 is from that."""
        self.tensors["out.exact"] = exact.float()
        self.save()
        return (self.tensors["out.embeddings"].double() - exact).abs().max().item()


@contextlib.contextmanager
def float64():
    """The original classes ask for float32 by name where a lower precision would not do; here they get float64."""
    names = {(torch, "float32"): torch.float64, (torch, "float"): torch.float64, (torch.Tensor, "float"): torch.Tensor.double}
    kept = {key: getattr(*key) for key in names}
    for key, value in names.items():
        setattr(*key, value)
    try:
        yield
    finally:
        for key, value in kept.items():
            setattr(*key, value)


def embed_exactly(family, model, inputs):
    """The embeddings of the original class in float64, with the tables of angles that it made in float32."""
    model.double()
    with float64():
        out = family.embed(model, {k: v.double() if v.is_floating_point() else v for k, v in inputs.items()})
    model.float()
    return out


def make_cases(family, model, folder, batches):
    """Case files of random batches, for each mode of the family."""
    cases = collections.defaultdict(list)
    for i in range(batches):
        for kind, inputs in (("text", family.text()), ("image", family.images())):
            out = family.embed(model, inputs)
            for mode in family.modes:
                cases[mode].append(Case(folder / f"case-{kind}-{i}-{mode}.safetensors", inputs, out[mode]))
    return cases


def call(*argv):
    """Runs a program; answers why it failed, or None. A difference, which is judged here, is no failure."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    return f"{argv[0]} exits with {done.returncode}: {done.stderr.strip()}" if done.returncode else None


def compare(build, out, cases, expect="embeddings"):
    """How far the graphs in a folder are from a tensor of each case; or None and why not."""
    graph_of = {case.path: case.path.name.split("-")[1] for case in cases}
    files = {"unified": "model.onnx", **{graph: f"{graph}.onnx" for graph in graph_of.values()}}
    why = call(build / "colconv-parity", *[f"--model={graph}={out / file}" for graph, file in files.items()],
               *[f"--case={case.path}" for case in cases], "--expect", expect, "--threads", "1",
               "--max-abs", "1e30", "--min-cosine", "-1", "--output", out / "compared.json")
    if why:
        return None, why
    report = json.loads((out / "compared.json").read_text())["cases"]
    for case in cases:
        graphs = {run["model"] for run in report if run["file"] == str(case.path)}
        if graphs != {graph_of[case.path], "unified"}:
            return None, f"{case.path.name} was compared with {sorted(graphs)} only"
    return report, None


def judge_rounding(args, family, model, mode, out, cases, compared):
    """
    Adds to each comparison above the limit how far colconv ("ours") and the original ("theirs") are from what the original
    gives in float64.
    """
    above = {c["file"] for c in compared if not c["max_abs"] <= MAX_ABS}
    cases = [case for case in cases if str(case.path) in above]
    if not cases:
        return None
    theirs = {str(case.path): case.add_exact(embed_exactly(family, model, case.inputs)[mode]) for case in cases}
    report, why = compare(args.build, out, cases, "exact")
    # Not by how a text came to the unified graph: that depends on the case's place in the list, which is another one here.
    ours = {(c["file"], c["model"]): c["max_abs"] for c in report or []}
    for c in compared:
        if not why and c["file"] in above:
            c["theirs"], c["ours"] = theirs[c["file"]], ours[c["file"], c["model"]]
    return why


def passes(c):
    return not c["nan"] and (c["max_abs"] <= MAX_ABS or ("ours" in c and c["ours"] <= max(MAX_ABS, FACTOR * c["theirs"])))


def in_words(c):
    words = f"{c['max_abs']:.2e} in {c['name']} {c['model']} {c.get('pixels', '')}".rstrip()
    return words + (f" (from float64: {c['ours']:.2e}, the original {c['theirs']:.2e})" if "ours" in c else "")


@torch.no_grad()
def run(args, number, folder):
    """One random model. Answers its comparisons, the number of batches, and whether all was well."""
    draw = Draw(f"{args.seed}/{number}")
    family = FAMILIES[draw.pick(*FAMILIES) if args.family == "all" else args.family](draw)
    model, how = save_checkpoint(draw, family, folder)
    cases = make_cases(family, model, folder, args.batches)
    compared, failures = [], []
    for mode, some in cases.items():
        out = folder / f"onnx-{mode}"
        why = call(args.build / "colconvctl", "convert", folder / "checkpoint", "-o", out, "--variants", VARIANTS, "--no-parity",
                   *family.modes[mode])
        given, why = (None, why) if why else compare(args.build, out, some)
        why = why or judge_rounding(args, family, model, mode, out, some, given)
        if why:
            failures.append(f"{mode}: {why}")
        compared += given or []
    failures += [in_words(c) for c in compared if not passes(c)]
    worst = max(compared, key=lambda c: c["max_abs"], default=None)
    print(f"{number:4} {family.name:14} {how:32}", in_words(worst) if worst else "not compared", flush=True)
    for failure in failures:
        print(f"     FAILED {failure}", flush=True)
    for c in compared:
        c["run"] = number
    return compared, sum(map(len, cases.values())), not failures


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batches", type=int, default=3, help="of text, and of images, in a run")
    parser.add_argument("--family", choices=[*FAMILIES, "all"], default="all")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent.parent, metavar="DIR", help="folder of the programs")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="leave what failed in this folder")
    return parser.parse_args()


def main():
    args = parse()
    compared, batches, failed = [], 0, 0
    began = time.monotonic()
    for number in range(args.first, args.first + args.runs):
        with tempfile.TemporaryDirectory(prefix="colconv-") as folder:
            some, n, good = run(args, number, pathlib.Path(folder))
            if not good and args.keep:
                shutil.copytree(folder, args.keep / f"{args.seed}-{number}", dirs_exist_ok=True)
        compared += some
        batches += n
        failed += not good
    print(f"{args.runs} models, {batches} batches, {len(compared)} comparisons in {time.monotonic() - began:.0f} s; "
          f"{failed} models failed")
    above = [c for c in compared if c["max_abs"] > MAX_ABS]
    for words, some in ((f"within {MAX_ABS}", [c for c in compared if c["max_abs"] <= MAX_ABS]), ("above", above)):
        if some:
            worst = max(some, key=lambda c: c["max_abs"])
            print(f"{words}: {len(some)} comparisons, worst in run {worst['run']}: {in_words(worst)}")
    ratios = [c["ours"] / c["theirs"] for c in above if "ours" in c]
    if ratios:
        print(f"above: colconv is at most {max(ratios):.2f} times as far from float64 as the original, "
              f"in {sum(ratio < 1 for ratio in ratios)} of {len(ratios)} nearer")
    return 1 if failed else 0


if __name__ == "__main__":
    torch.set_num_threads(1)  # of tensors this small, faster than more
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    sys.exit(main())
