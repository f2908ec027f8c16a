"""The published sizes have as many weights as the original classes."""
import os
import pathlib
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", pathlib.Path(__file__).parents[2]))
# Of nemotron_vl counted by hand: published are 2.418 and 4.407 thousand millions, with a pooling head of the tower of some 28 millions.
# Counted on the classes, without lm_head; colqwen_omni without the tower that listens, too.
SIZES = [
    ("colqwen2", "2b", 731, 2_209_182_336),
    ("collfm2", "450m", 353, 450_953_856),
    ("neomme", "260m", 162, 263_068_978),
    ("colministral3", "3b", 459, 3_849_090_048 + 128 * 3072),
    # Without the tower's last norm and pooling head, which are not used.
    ("granitevisionemb", "2b", 804, 2_975_659_200 - 15_238_352 - 2_304),
    ("colqwen_omni", "3b", 434 + 518 + 2, 3_085_938_688 + 668_684_288 + 262_272),
    ("nemotron_vl", "1b", 797, 2_388_632_064),
    ("nemotron_vl", "3b", 905, 4_377_106_944),
    ("colnanovdr", "150m", 4 + 22 * 6 - 1 - 1 + 3, 149_506_561),
]


@pytest.mark.parametrize("family, size, tensors, parameters", SIZES)
def test_size(family, size, tensors, parameters):
    done = subprocess.run([BUILD / "tests/tools/mkcheckpoint", "--arch", family, "--size", size, "--count"], capture_output=True, text=True)
    assert done.stdout.startswith(f"{tensors} tensors, {parameters} parameters, "), done.stdout + done.stderr


def test_the_sizes_that_a_minimal_config_leaves_out():
    """The published ColLFM2's config.json names its base, and has no sizes."""
    done = subprocess.run([BUILD / "tests/tools/mkcheckpoint", "--arch", "collfm2", "--layout", "minimal", "--count"], capture_output=True,
                          text=True)
    assert done.stdout.startswith("353 tensors, 450953856 parameters, "), done.stdout + done.stderr
