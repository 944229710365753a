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

/// Moves blobs of an SQLite larder: small ones into the folder, large ones into the table; adds rows that are no records.
/// Then makes it newer.
const MOVES: &str = r#"
import os, sqlite3, sys

database = sqlite3.connect(sys.argv[1])
if sys.argv[2] == "newer":
    database.execute("PRAGMA user_version = 99")
else:
    folder = sys.argv[1] + ".blobs"
    small = database.execute("SELECT digest, bytes FROM blobs").fetchall()
    large = [os.path.join(base, name) for base, _, names in os.walk(folder) for name in names if len(name) == 64]
    assert small and large, "there are blobs of both sizes"
    for path in large:
        with open(path, "rb") as file:
            database.execute("INSERT INTO blobs VALUES (?, ?)", (bytes.fromhex(os.path.basename(path)), file.read()))
        os.remove(path)
    for digest, content in small:
        hex = digest.hex()
        os.makedirs(os.path.join(folder, hex[:2]), exist_ok=True)
        with open(os.path.join(folder, hex[:2], hex), "wb") as file:
            file.write(content)
        database.execute("DELETE FROM blobs WHERE digest = ?", (digest,))
    for key in ["A Key", "names/.hidden", "versions/small/@1/..", "\u00fc"]:
        database.execute("INSERT INTO records VALUES (?, 'no record')", (key,))
database.commit()
database.close()
"#;

#[test]
fn an_sqlite_larder_finds_a_blob_wherever_it_is_and_refuses_newer_tables() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("larder.db");
    let url = format!("sqlite:{}", path.display());
    let python = |what: &str| {
        run("python3", &[OsStr::new("-c"), OsStr::new(MOVES), path.as_ref(), OsStr::new(what)]);
    };
    let sized = |size: usize| Sized { bytes: Artifact::new(vec![7; size]) };
    let larder = larder::open(&url).unwrap();
    larder.apply("small", &sized(10)).unwrap();
    larder.apply("large", &sized(300_000)).unwrap();
    drop(larder);
    python("moved");
    let larder = larder::open(&url).unwrap();
    for (name, size) in [("small", 10), ("large", 300_000)] {
        assert_eq!(larder.load::<Sized>(name).unwrap().bytes.get().unwrap().len(), size);
    }
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
    assert_eq!(
        larder.list().map(Result::unwrap).count(),
        2,
        "rows that are no records are ignored"
    );
    drop(larder);
    python("newer");
    let error = larder::open(&url).unwrap_err();
    assert!(matches!(error, larder::Error::NewerFormat { found: 99, .. }), "{error}");
}

#[test]
fn python_reads_the_fixtures_as_the_page_says() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    run("python3", &[OsStr::new("-c"), OsStr::new(READER), fixtures.as_ref()]);
}
