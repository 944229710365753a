//! Python, with its standard library: what it reads, and that its `tarfile` writes the same bytes.

use std::ffi::OsStr;

use larder::Selection;
use larder::archive::{Form, export};
use larder::prelude::*;
use larder_tests::python::run;

const PROGRAM: &str = r#"
import io, sys, tarfile

written = io.BytesIO()
with tarfile.open(sys.argv[1]) as archive:
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as again:
        for member in archive:
            info = tarfile.TarInfo(member.name)
            info.size = member.size
            try:
                info.tobuf(tarfile.USTAR_FORMAT)
                again.format = tarfile.USTAR_FORMAT
            except ValueError:
                again.format = tarfile.PAX_FORMAT
            again.addfile(info, archive.extractfile(member))
with open(sys.argv[1], "rb") as archive:
    assert written.getvalue() == archive.read(), "the bytes differ"
"#;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "format/python")]
struct Sized {
    bytes: Artifact<Vec<u8>>,
}

#[test]
fn pythons_tarfile_writes_the_same_bytes() {
    let here = tempfile::tempdir().unwrap();
    let larder = larder::open("memory:").unwrap();
    // Short paths, paths with a prefix, and paths that only a pax header holds.
    for length in [1, 60, 110, 170, 199] {
        for stem in ["", "a/b/c/d/", "e.json/"] {
            let name = format!("{stem}{}", "n".repeat(length - stem.len().min(length - 1)));
            larder.apply(name, &Sized { bytes: Artifact::new(vec![7; length * 100]) }).unwrap();
        }
    }
    larder.apply("large", &Sized { bytes: Artifact::new(vec![1; 300_000]) }).unwrap();
    let path = here.path().join("archive.tar");
    export(&larder, Selection::All, false, &path, Form::Tar).unwrap();
    run("python3", &[OsStr::new("-c"), OsStr::new(PROGRAM), path.as_ref()]);
}

/// Reads the fixtures as `docs/format.md` says, with nothing of Larder's.
const READER: &str = r#"
import json, os, sqlite3, sys, tarfile

def key_of(path):
    parts = path.removeprefix("records/").removesuffix(".json").split("/")
    return "/".join(part.removesuffix("%") for part in parts)

def of_files(files):
    records, blobs = {}, {}
    for path, content in files:
        if path.startswith("records/"):
            records[key_of(path)] = json.loads(content)
        elif path.startswith("blobs/"):
            blobs["b3:" + path.rsplit("/", 1)[1]] = content
    return records, blobs

def files_below(folder):
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            with open(path, "rb") as file:
                yield os.path.relpath(path, folder).replace(os.sep, "/"), file.read()

def read(path):
    if os.path.isdir(path):
        return of_files(files_below(path))
    if path.endswith(".tar"):
        with tarfile.open(path) as archive:
            return of_files([(it.name, archive.extractfile(it).read()) for it in archive])
    database = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    records = {key: json.loads(value) for key, value in database.execute("SELECT key, value FROM records")}
    blobs = {"b3:" + digest.hex(): content for digest, content in database.execute("SELECT digest, bytes FROM blobs")}
    if os.path.isdir(path + ".blobs"):
        blobs |= {"b3:" + name.rsplit("/", 1)[1]: content for name, content in files_below(path + ".blobs")}
    return records, blobs

count = 0
for fixture in sorted(os.listdir(sys.argv[1])):
    for name in sorted(os.listdir(os.path.join(sys.argv[1], fixture))):
        path = os.path.join(sys.argv[1], fixture, name)
        if not (fixture.startswith("format-") and (name == "folder" or name.endswith((".db", ".tar")))):
            continue
        with open(path + ".expected.json", encoding="utf-8") as file:
            expected = json.load(file)
        records, blobs = read(path)
        assert records == expected["records"], f"records of {path}"
        assert {key: len(value) for key, value in blobs.items()} == expected["blobs"], f"blobs of {path}"
        for digest, manifest in expected["manifests"].items():
            assert json.loads(blobs[digest]) == manifest, f"{digest} of {path}"
        count += 1
assert count >= 14, count
"#;

#[test]
fn python_reads_the_fixtures_as_the_page_says() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    run("python3", &[OsStr::new("-c"), OsStr::new(READER), fixtures.as_ref()]);
}
