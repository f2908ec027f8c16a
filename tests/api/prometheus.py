"""Parses Prometheus' text format 0.0.4, as strictly as `promtool check metrics`."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count"), "counter": ("",), "gauge": ("",)}
ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def labels_of(text):
    labels, at = {}, 0
    while text and at < len(text):
        found = LABEL.match(text, at)
        assert found, f"no labels: {text}"
        assert found[1] not in labels, f"twice in {text}"
        labels[found[1]] = re.sub(r'\\["\\n]', lambda m: ESCAPES[m[0]], found[2])
        at = found.end()
    return labels


def lint(name, kind):
    assert (kind == "counter") == name.endswith("_total"), name
    assert not re.search(r"_(sum|count|bucket|info_info)$|[A-Z]|_(milliseconds|ms|kilobytes|mb)\b|(gauge|histogram|summary)", name), name


def histograms_check(name, samples):
    series = {}
    for (sample, labels), value in samples.items():
        rest = tuple(pair for pair in labels if pair[0] != "le")
        series.setdefault(rest, {})[sample.removeprefix(name), dict(labels).get("le")] = value
    for rest, values in series.items():
        buckets = [(float(le), v) for (suffix, le), v in values.items() if suffix == "_bucket"]
        assert buckets == sorted(buckets) and buckets[-1][0] == float("inf"), rest
        assert [v for _, v in buckets] == sorted(v for _, v in buckets), rest
        assert buckets[-1][1] == values["_count", None], rest
        assert values["_sum", None] >= 0


def parse(text):
    """{name of a sample: {its labels, sorted: value}}, checked."""
    assert text.endswith("\n")
    families, family, kind, every = {}, None, None, {}
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            family, words = re.fullmatch(rf"# HELP ({NAME}) (.+)", line).groups()
            assert family not in families, f"twice: {family}"
            families[family], kind = {}, None
        elif line.startswith("# TYPE "):
            assert kind is None and not families[family]
            assert line.startswith(f"# TYPE {family} ")
            kind = line.split(" ")[3]
            lint(family, kind)
        else:
            name, labels, value = SAMPLE.fullmatch(line).groups()
            assert kind and any(name == family + suffix for suffix in SUFFIXES[kind]), line
            key = name, tuple(sorted(labels_of(labels).items()))
            assert key not in families[family], f"twice: {line}"
            families[family][key] = float(value)
            every.setdefault(name, {})[key[1]] = float(value)
            if kind == "histogram" and name.endswith("_bucket"):
                assert "le" in dict(key[1])
    for name, samples in families.items():
        assert samples, name
        if any(s.endswith("_bucket") for s, _ in samples):
            histograms_check(name, samples)
    return every
