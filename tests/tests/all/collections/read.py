"""Reads a collection of a larder in a folder by docs/format.md, with pyarrow alone."""

import base64
import json
import os
import struct
import sys

import pyarrow as pa


def record(larder, key):
    with open(os.path.join(larder, "records", *key.split("/")) + ".json", encoding="utf-8") as file:
        return json.load(file)


def blob(larder, digest):
    name = digest.removeprefix("b3:")
    return os.path.join(larder, "blobs", name[:2], name)


def rows_of(larder, fragment):
    """The columns of a fragment, with its row ids, without its deleted rows."""
    data = fragment["data"]
    if isinstance(data, str):
        table = pa.ipc.open_stream(base64.b64decode(data)).read_all()
    else:
        with pa.memory_map(blob(larder, data["$artifact"])) as source:
            table = pa.ipc.open_file(source).read_all()
    count = fragment["rows"]
    assert table.num_rows == count
    first, last = fragment["first_id"], fragment["last_id"]
    if last - first + 1 == count:
        ids = pa.array(range(first, last + 1), pa.uint64())
    else:
        ids = table["_row_id"].combine_chunks()
    deleted = set()
    if "deleted" in fragment:
        with open(blob(larder, fragment["deleted"]["positions"]["$artifact"]), "rb") as file:
            content = file.read()
        deleted = set(struct.unpack(f"<{len(content) // 4}I", content))
        assert len(deleted) == fragment["deleted"]["rows"]
    live = [at for at in range(count) if at not in deleted]
    return table.take(live), ids.take(pa.array(live, pa.int64()))


def read(larder, name, number=None):
    key = f"versions/{name}/@{number:010}" if number else f"names/{name}"
    found = record(larder, key)
    version = found if number else found["latest"]
    assert version["type"] == "larder/collection"
    with open(blob(larder, version["manifest"]), encoding="utf-8") as file:
        fields = json.load(file)["fields"]
    rows = {}
    for fragment in fields["fragments"]:
        table, ids = rows_of(larder, fragment)
        columns = {}
        for field in fields["schema"]:
            names = [it for it in [field["name"], *field.get("aliases", [])] if it in table.column_names]
            if names:
                columns[field["name"]] = table[names[0]].to_pylist()
            else:
                columns[field["name"]] = [field.get("default")] * table.num_rows
        for at, row_id in enumerate(ids.to_pylist()):
            assert row_id not in rows, f"row {row_id} is there twice"
            rows[row_id] = {name: values[at] for name, values in columns.items()}
    assert len(rows) == fields["rows"]
    return [rows[row_id] for row_id in sorted(rows)]


if __name__ == "__main__":
    number = int(sys.argv[3]) if len(sys.argv) > 3 else None
    for row in read(sys.argv[1], sys.argv[2], number):
        text = lambda it: base64.b64encode(it).decode() if isinstance(it, bytes) else str(it)
        print(json.dumps(row, default=text, ensure_ascii=False))
