"""The part of JSON Schema (draft 2020-12) that the schemas in proto use; any other keyword is an error."""
import json
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "proto"
WORDS = {"$schema", "$id", "title", "description", "$defs", "default", "examples", "format", "contentMediaType", "x-enum-descriptions"}
TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool) or isinstance(v, float) and v.is_integer(),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "null": lambda v: v is None,
}


def load(name):
    return json.loads((FOLDER / name).read_text())


API = load("openapi.json")


def resolve(ref, root):
    name, _, path = ref.partition("#")
    root = load(name) if name else root
    schema = root
    for key in path.split("/")[1:]:
        schema = schema[key]
    return schema, root


def of_type(value, names):
    return any(TYPES[n](value) for n in ([names] if isinstance(names, str) else names))


# Keyword: (the types that it speaks of, whether a value holds).
RULES = {
    "type": (object, of_type),
    "const": (object, lambda v, x: v == x),
    "enum": (object, lambda v, x: v in x),
    "pattern": (str, lambda v, x: re.search(x, v)),
    "minLength": (str, lambda v, x: len(v) >= x),
    "maxLength": (str, lambda v, x: len(v) <= x),
    "minimum": ((int, float), lambda v, x: v >= x),
    "maximum": ((int, float), lambda v, x: v <= x),
    "minItems": (list, lambda v, x: len(v) >= x),
    "maxItems": (list, lambda v, x: len(v) <= x),
    "contains": (list, lambda v, x: x["const"] in v),    # a constant alone
    "uniqueItems": (list, lambda v, x: len({json.dumps(i) for i in v}) == len(v)),
    "minProperties": (dict, lambda v, x: len(v) >= x),
    "maxProperties": (dict, lambda v, x: len(v) <= x),
    "required": (dict, lambda v, x: set(x) <= v.keys()),
}


def errors(value, schema, root=None, where="$"):
    """Lists the violations, one line each; empty when there are none."""
    root = root or schema
    for keyword, x in schema.items():
        if keyword in WORDS:
            continue
        if keyword == "$ref":
            yield from errors(value, *resolve(x, root), where)
        elif keyword == "anyOf":
            if all(any(errors(value, one, root, where)) for one in x):
                yield f"{where}: {value!r:.80} is none of the {len(x)} kinds"
        elif keyword == "allOf":
            for one in x:
                yield from errors(value, one, root, where)
        elif keyword == "dependentSchemas":
            for key in x.keys() & (value.keys() if isinstance(value, dict) else ()):
                yield from errors(value, x[key], root, where)
        elif keyword in RULES:
            types, holds = RULES[keyword]
            if isinstance(value, types) and not holds(value, x):
                yield f"{where}: {value!r:.80} against {keyword} {x!r:.80}"
        elif keyword == "items":
            for i, v in enumerate(value if isinstance(value, list) else []):
                yield from errors(v, x, root, f"{where}[{i}]")
        elif keyword in ("properties", "propertyNames", "additionalProperties"):
            for key, v in value.items() if isinstance(value, dict) else ():
                yield from member_errors(key, v, keyword, schema, root, f"{where}.{key}")
        else:
            raise ValueError(f"this validator does not know '{keyword}'")


def member_errors(key, value, keyword, schema, root, where):
    x = schema[keyword]
    if keyword == "propertyNames":
        yield from errors(key, x, root, where)
    elif keyword == "properties":
        if key in x:
            yield from errors(value, x[key], root, where)
    elif key not in schema.get("properties", {}):
        if x is False:
            yield f"{where}: there is no such member"
        else:
            yield from errors(value, x, root, where)


def job_fields():
    """The schema of each field of a job, by its dotted name: "dtype", "parity.seed"."""
    properties = API["components"]["schemas"]["JobRequest"]["properties"]
    return {**properties, **{f"parity.{name}": field for name, field in properties["parity"]["properties"].items()}}


def named(name):
    """A schema and the document that it is in: one of proto/openapi.json (Job), or a file (manifest.schema.json)."""
    if name.endswith(".json"):
        return load(name), load(name)
    return API["components"]["schemas"][name], API


def check(value, name):
    found = list(errors(value, *named(name)))
    assert not found, "\n".join(found)
