#!/usr/bin/env python3
"""Makes the checkpoints and cases of this folder again, by the original classes of transformers.

  make.py OUT [--seed N]

Needs torch, transformers (5.12 or later) and safetensors, for example in a virtual environment:

  python3 -m venv golden && golden/bin/pip install torch transformers safetensors
  golden/bin/python tests/golden/make.py /tmp/golden

The numbers differ from those kept here, which another release drew; what is tested is the same.
The form of a case is in README.md.
"""
import argparse
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file

IMAGE, VISION_START, VISION_END = 301, 303, 304  # beyond the words, which are 5 to 299
PATCH = 3 * 2 * 14 * 14
PALI_SIDE = 4  # patches along one side of ColPali's images


class Maker:
    def __init__(self, out, seed):
        self.out = out
        self.random = torch.Generator().manual_seed(seed)

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.random)

    def words(self, n):
        return torch.randint(5, 300, (n,), generator=self.random).tolist()

    def fill(self, model, norm_base):
        """Random weights with which the activations keep their size from layer to layer."""
        for name, p in model.named_parameters():
            if p.dim() > 1:
                scale = 1.0 if name.endswith("embed_tokens.weight") else 1.5 / p[0].numel() ** 0.5
                p.data = scale * self.normal(*p.shape)
            else:
                is_norm = name.endswith("weight") and ("norm" in name or "ln_q" in name)
                p.data = (norm_base if is_norm else 0.0) + 0.2 * self.normal(*p.shape)
        return model.eval()

    def colqwen2(self):
        text = dict(
            vocab_size=320, hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=4096, rms_norm_eps=1e-6, tie_word_embeddings=True,
            bos_token_id=1, eos_token_id=2,
            rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]})
        vision = dict(depth=3, embed_dim=32, num_heads=2, mlp_ratio=4, hidden_size=64, hidden_act="quick_gelu")
        config = transformers.ColQwen2Config(embedding_dim=128, vlm_config=dict(
            model_type="qwen2_vl", text_config=text, vision_config=vision, image_token_id=IMAGE, video_token_id=302,
            vision_start_token_id=VISION_START, vision_end_token_id=VISION_END))
        model = transformers.ColQwen2ForRetrieval._from_config(config, attn_implementation="eager")
        return self.fill(model, norm_base=1.0)

    def colpali(self):
        tokens = PALI_SIDE * PALI_SIDE
        text = dict(
            model_type="gemma", vocab_size=320, hidden_size=64, intermediate_size=128, num_hidden_layers=3,
            num_attention_heads=4, num_key_value_heads=1, head_dim=16, max_position_embeddings=4096,
            num_image_tokens=tokens, bos_token_id=2, eos_token_id=1, pad_token_id=0)
        vision = dict(
            model_type="siglip_vision_model", hidden_size=32, intermediate_size=64, num_hidden_layers=3,
            num_attention_heads=2, image_size=14 * PALI_SIDE, patch_size=14, projection_dim=64,
            num_image_tokens=tokens, vision_use_head=False)
        config = transformers.ColPaliConfig(embedding_dim=128, vlm_config=dict(
            model_type="paligemma", text_config=text, vision_config=vision, image_token_index=IMAGE,
            projection_dim=64, hidden_size=64))
        model = transformers.ColPaliForRetrieval._from_config(config, attn_implementation="eager")
        return self.fill(model, norm_base=0.0)  # Gemma's norms multiply by 1 + weight

    def text(self, *lengths, left=True):
        return batch([self.words(n) for n in lengths], left)

    def pali_text(self, *lengths):
        return batch([[2, *self.words(n - 1)] for n in lengths], left=False)

    def images(self, *grids, left=True):
        """One image per row; a grid is its height and width in patches."""
        rows = [[*self.words(4), VISION_START, *[IMAGE] * (h * w // 4), VISION_END, *self.words(5)] for h, w in grids]
        pixels = torch.zeros(len(grids), max(h * w for h, w in grids), PATCH)
        for i, (h, w) in enumerate(grids):
            pixels[i, :h * w] = self.normal(h * w, PATCH)
        return {**batch(rows, left), "pixel_values": pixels, "image_grid_thw": torch.tensor([[1, h, w] for h, w in grids])}

    def pali_images(self, n):
        rows = [[*[IMAGE] * (PALI_SIDE * PALI_SIDE), 2, *self.words(5)] for _ in range(n)]
        return {**batch(rows, left=False), "pixel_values": self.normal(n, 3, 14 * PALI_SIDE, 14 * PALI_SIDE)}

    def save(self, name, model, run, cases, **how):
        folder = self.out / name
        model.save_pretrained(folder, **how)
        # Loaded again, as users do: a model that was turned into bfloat16 here has rounded rope frequencies too.
        model = type(model).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        self.save_cases(folder, model, run, cases)
        return model

    def save_cases(self, folder, model, run, cases):
        folder.mkdir(exist_ok=True)
        for case, inputs in cases.items():
            tensors = {"in." + k: v for k, v in inputs.items()} | run(model, inputs)
            save_file({k: v.contiguous() for k, v in tensors.items()}, folder / f"case-{case}.safetensors")
            print(folder / f"case-{case}.safetensors")

    def save_adapter(self, name, model, base, run, cases, rank=4, alpha=8):
        """Saves an adapter for every linear layer of the language model and for the projection; the cases use the model with the adapter merged."""
        tensors = {}
        for path, module in model.named_modules():
            if not isinstance(module, torch.nn.Linear) or path.startswith("vlm.visual"):
                continue
            a = self.normal(rank, module.in_features) / module.in_features ** 0.5
            b = 0.3 * self.normal(module.out_features, rank)
            module.weight.data += alpha / rank * (b @ a)
            key = "base_model.model." + (path.replace("vlm.language_model", "model")
                                         .replace("embedding_proj_layer", "custom_text_proj"))
            tensors |= {key + ".lora_A.weight": a, key + ".lora_B.weight": b}
        folder = self.out / name
        self.save_cases(folder, model, run, cases)
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        (folder / "adapter_config.json").write_text(json.dumps({
            "peft_type": "LORA", "base_model_name_or_path": base, "r": rank, "lora_alpha": alpha, "lora_dropout": 0.1,
            "bias": "none", "use_rslora": False, "use_dora": False, "modules_to_save": None}, indent=2))


def batch(rows, left):
    length = max(map(len, rows))
    pad = [length - len(row) for row in rows]
    ids = [[0] * n + row if left else row + [0] * n for n, row in zip(pad, rows)]
    mask = [[0] * n + [1] * len(row) if left else [1] * len(row) + [0] * n for n, row in zip(pad, rows)]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def run_colqwen2(model, inputs):
    model.vlm.rope_deltas = None
    if "pixel_values" not in inputs:
        return {"out.embeddings": model(**inputs).embeddings}
    ids, grids = inputs["input_ids"], inputs["image_grid_thw"]
    types = (ids == model.config.vlm_config.image_token_id).int()
    positions, _ = model.vlm.get_rope_index(
        ids, mm_token_type_ids=types, image_grid_thw=grids, attention_mask=inputs["attention_mask"])
    patches = torch.cat([p[:h * w] for p, (_, h, w) in zip(inputs["pixel_values"], grids.tolist())])
    ret = {
        "out.embeddings": model(**inputs, position_ids=positions).embeddings,
        "mid.image_features": model.vlm.visual(patches, grid_thw=grids, return_dict=True).pooler_output,
    }
    model.vlm.rope_deltas = None
    return ret | {"out.embeddings_arange": model(**inputs).embeddings}


def run_colpali(model, inputs):
    ret = {"out.embeddings": model(**inputs, token_type_ids=torch.zeros_like(inputs["input_ids"])).embeddings}
    if "pixel_values" in inputs:
        ret["mid.image_features"] = model.vlm.get_image_features(inputs["pixel_values"]).pooler_output
    return ret


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    m = Maker(args.out, args.seed)

    colqwen2 = m.save("colqwen2-tiny", m.colqwen2(), run_colqwen2, {
        "text-one": m.text(7),
        "text-batch": m.text(5, 12, 9),
        "text-long": m.text(70, 33),
        "text-right-padded": m.text(3, 8, left=False),
        "image-one": m.images((4, 6)),
        "image-mixed": m.images((4, 4), (8, 6), (2, 10)),
        "image-right-padded": m.images((6, 4), (4, 2), left=False),
    })
    m.save("colqwen2-tiny-bf16-sharded", m.colqwen2().bfloat16(), run_colqwen2,
           {"text-batch": m.text(5, 12, 9)}, max_shard_size="200KB")
    m.save("colpali-tiny", m.colpali(), run_colpali, {
        "text-one": m.pali_text(7),
        "text-batch": m.pali_text(5, 12, 9),
        "text-long": m.pali_text(70, 33),
        "image-one": m.pali_images(1),
        "image-three": m.pali_images(3),
    })
    m.save_adapter("colqwen2-tiny-lora", colqwen2, "colqwen2-tiny-engine", run_colqwen2,
                   {"text-batch": m.text(5, 12, 9), "image-mixed": m.images((4, 4), (8, 6), (2, 10))})


if __name__ == "__main__":
    main()
