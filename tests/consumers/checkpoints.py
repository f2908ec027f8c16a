"""
The checkpoints that consumers get: those of tests/golden, and others that are made for packages that want transformers'
own classes with a processor, or the published shape of a picture. The made ones are small in all that a package
does not look at.
"""
import json
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", HERE.parent.parent)).resolve()
GOLDEN = HERE.parent / "golden"
PROCESSOR = ["preprocessor_config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json"]

TILES = {"max_image_size": {"longest_edge": 512}, "size": {"longest_edge": 2048}}

# name: (options of mkcheckpoint, whose processor, its class, what its preprocessor has otherwise, tokens of a picture or tile,
#        keys of config.json for a token of that processor, or an id)
MADE = {
    "hf-colqwen2": (["--arch", "colqwen2"], "e2e-colqwen2", "ColQwen2Processor", {}, None,
                    {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>",
                     "vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}),
    "hf-colpali": (["--arch", "colpali", "--set", "vision.image_size=56", "--set", "vision.patch_size=14"], "e2e-colpali",
                   "ColPaliProcessor", {}, 16, {"image_token_index": "<image>"}),
    # The shapes that fastembed has in its code: 448 x 448 pixels, token 257152; tiles of 512 x 512, 64 tokens each.
    "fastembed-colpali": (["--arch", "colpali", "--set", "vision.image_size=448", "--set", "vision.patch_size=14",
                           "--set", "vocab_size=257216"], "e2e-colpali", "ColPaliProcessor",
                          {"size": {"height": 448, "width": 448}}, 1024, {"image_token_index": 257152}),
    "fastembed-colmodernvbert": (["--arch", "colmodernvbert", "--set", "vision.image_size=512", "--set", "vision.patch_size=16",
                                  "--set", "pixel_shuffle_factor=4"], "e2e-colidefics3", "ColModernVBertProcessor", TILES, 64,
                                 {"image_token_id": "<image>"}),
}
FASTEMBED = ["fastembed-colpali", "fastembed-colmodernvbert"]
EMBEDANYTHING = ["fastembed-colpali"]


def edit(path, change):
    content = json.loads(path.read_text()) if path.exists() else {}
    change(content)
    path.write_text(json.dumps(content, indent=1))


def replace(content, values):
    """Gives the keys of `values` their value wherever they are in nested objects."""
    for key, value in content.items():
        if key in values:
            content[key] = values[key]
        elif isinstance(value, dict):
            replace(value, values)


def make(name, out):
    """The folder of a checkpoint, which is made where it is not there yet."""
    if name not in MADE:
        return GOLDEN / name
    if out.exists():
        return out
    options, processor, processor_class, pictures, tokens, ids = MADE[name]
    out.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([BUILD / "tests/tools/mkcheckpoint", *options, out], check=True, stdout=subprocess.DEVNULL)
    for file in PROCESSOR:
        if (GOLDEN / processor / file).exists():
            shutil.copyfile(GOLDEN / processor / file, out / file)
    vocabulary = {token["content"]: token["id"] for token in json.loads((out / "tokenizer.json").read_text())["added_tokens"]}
    edit(out / "config.json", lambda content: replace(content, {key: vocabulary.get(token, token) for key, token in ids.items()}))
    # transformers' default for ModernBERT is beyond the vocabulary here.
    edit(out / "config.json", lambda content: content.get("vlm_config", content)["text_config"].setdefault("pad_token_id", 0))
    edit(out / "preprocessor_config.json", lambda content: content.update(pictures))
    edit(out / "processor_config.json", lambda content: content.update(
        {"processor_class": processor_class, **({"image_seq_len": tokens, "image_seq_length": tokens} if tokens else {})}))
    return out
