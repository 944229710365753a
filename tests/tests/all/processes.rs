//! Many processes on one larder: killed at any moment, writing at once.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use larder::store::Corruption;
use larder::{Larder, Reference};
use larder_tests::Parcel;
use larder_tests::errors::refused;

/// Number of times a writer is killed, for each store.
const KILLS: u64 = 200;

fn worker(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    command.args(arguments).stdout(Stdio::piped());
    command
}

/// The URLs of one larder of each kind in a folder.
fn urls(folder: &Path) -> [String; 2] {
    [("sqlite", "larder.db"), ("fs", "larder")]
        .map(|(scheme, name)| format!("{scheme}:{}", folder.join(name).display()))
}

/// The versions that a worker said were acknowledged: name, number, digest.
fn acknowledged(child: &mut Child) -> Vec<(String, u64, String)> {
    let out = BufReader::new(child.stdout.take().unwrap());
    let lines = out.lines().map_while(Result::ok);
    let whole = lines.filter_map(|line| {
        let [name, number, digest]: [&str; 3] =
            line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        // A line that the kill cut off has a short digest.
        (digest.len() == 67).then(|| (name.to_owned(), number.parse().unwrap(), digest.to_owned()))
    });
    whole.collect()
}

fn assert_whole(larder: &Larder) {
    let checked = larder.maintenance().verify(Selection::All).unwrap();
    assert_eq!(checked.findings, [], "after {} versions", checked.versions);
}

/// Time from a writer's start to its first version; longer on a busy machine.
fn first_version(url: &str) -> Duration {
    let begun = Instant::now();
    let mut child = worker(&["forever", url, "first"]).spawn().unwrap();
    BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let took = begun.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    took
}

/// Kills a writer again and again, each time within `longest` of its start, or within four times what its first
/// version takes.
fn survives_kills(url: &str, longest: Duration) {
    let longest = longest.max(4 * first_version(url));
    let mut promised = BTreeMap::new();
    for kill in 0..KILLS {
        let mut child = worker(&["forever", url, "killed"]).spawn().unwrap();
        thread::sleep(longest.mul_f64((kill * 79 % 200) as f64 / 200.0));
        child.kill().unwrap();
        for (_, number, digest) in acknowledged(&mut child) {
            let before = promised.insert(number, digest);
            assert_eq!(before, None, "version {number} was acknowledged twice");
        }
        child.wait().unwrap();
        if kill % 20 == 19 {
            assert_whole(&larder::open(url).unwrap());
        }
    }
    let larder = larder::open(url).unwrap();
    let there: BTreeMap<u64, String> = larder
        .versions("killed")
        .unwrap()
        .into_iter()
        .map(|version| (version.version.get(), version.digest.to_string()))
        .collect();
    assert!(promised.len() > 100, "only {} versions were acknowledged", promised.len());
    for (number, digest) in &promised {
        assert_eq!(there.get(number), Some(digest), "version {number} was acknowledged");
    }
    for number in there.keys() {
        let parcel: Parcel = larder.load(format!("killed@{number}")).unwrap();
        assert!(parcel.content.get().unwrap().len() >= 100);
    }
}

#[test]
fn what_sqlite_acknowledged_survives_200_kills() {
    let folder = tempfile::tempdir().unwrap();
    survives_kills(&urls(folder.path())[0], Duration::from_millis(60));
}

#[test]
fn what_a_folder_acknowledged_survives_200_kills() {
    let folder = tempfile::tempdir().unwrap();
    survives_kills(&urls(folder.path())[1], Duration::from_millis(150));
}

fn eight_at_once(url: &str, rounds: u64) {
    let children: Vec<Child> = (0..8)
        .map(|i| {
            let own = format!("own/{i}");
            worker(&["rounds", url, "shared", &own, &rounds.to_string()]).spawn().unwrap()
        })
        .collect();
    let mut said = BTreeMap::new();
    for mut child in children {
        for (name, number, digest) in acknowledged(&mut child) {
            assert_eq!(said.insert((name, number), digest), None, "a number was given twice");
        }
        assert!(child.wait().unwrap().success());
    }
    let larder = larder::open(url).unwrap();
    let numbers = |name: &str| -> Vec<u64> {
        larder.versions(name).unwrap().iter().map(|version| version.version.get()).collect()
    };
    assert_eq!(numbers("shared"), (1..=8 * rounds).collect::<Vec<_>>());
    for i in 0..8 {
        assert_eq!(numbers(&format!("own/{i}")), (1..=rounds).collect::<Vec<_>>());
    }
    for version in larder.versions("shared").unwrap() {
        let key = ("shared".to_owned(), version.version.get());
        assert_eq!(said.get(&key), Some(&version.digest.to_string()));
    }
    let latest = larder.show("shared").unwrap().version.version.get();
    assert_eq!(latest, 8 * rounds);
    assert_whole(&larder);
}

#[test]
fn eight_processes_share_an_sqlite_file() {
    let folder = tempfile::tempdir().unwrap();
    eight_at_once(&urls(folder.path())[0], 25);
}

#[test]
fn eight_processes_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    eight_at_once(&urls(folder.path())[1], 10);
}

#[test]
fn a_model_predicts_in_another_process() {
    let folder = tempfile::tempdir().unwrap();
    for url in urls(folder.path()) {
        let larder = larder::open(&url).unwrap();
        larder.apply("doubler", &larder_tests::Doubler { factor: 2.0 }).unwrap();
        let output = worker(&["predict", &url, "doubler@1", "21"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "42.0\n", "from {url}");
    }
}

/// Runs the worker with the most that a file may have, in KiB: like a full disk, `write` fails.
fn with_little_room(kib: u64, arguments: &[&str]) -> String {
    let script = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
    let mut command = Command::new("bash");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_worker")]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for url in urls(folder.path()) {
        let larder = larder::open(&url).unwrap();
        larder.apply("before", &larder_tests::Doubler { factor: 1.0 }).unwrap();
        let said = with_little_room(1024, &["large", &url, "full", "8000000"]);
        assert!(said.starts_with("store error: cannot write"), "{url}: {said}");
        assert!(larder.versions("full").is_err(), "{url}");
        assert_whole(&larder);
        let blobs: Vec<_> = larder::store::StoreExt::blobs(&**larder.store()).collect();
        assert_eq!(blobs.len(), 1, "{url}: only the manifest that was there before");
        assert_eq!(with_little_room(65536, &["large", &url, "full", "8000000"]), "applied\n");
        assert_whole(&larder);
    }
    assert_eq!(leftovers(folder.path()), Vec::<String>::new());
}

/// Files of unfinished blobs.
fn leftovers(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(leftovers(&path));
        } else if path.parent().unwrap().ends_with("tmp") {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn damaged_blobs_are_found_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    for (damage, fault) in [("flip", "digest"), ("cut", "bytes"), ("remove", "missing")] {
        for url in urls(&folder.path().join(damage)) {
            std::fs::create_dir_all(folder.path().join(damage)).unwrap();
            let larder = larder::open(&url).unwrap();
            let content = vec![7_u8; 300_000];
            let parcel = Parcel {
                round: 1,
                content: larder::Artifact::<_, larder::serializers::RawBytes>::new(content.into()),
            };
            larder.apply("parcel", &parcel).unwrap();
            let digest = larder.show("parcel").unwrap().manifest.artifacts()[0].digest.to_hex();
            let root = url.split_once(':').unwrap().1;
            let blobs = if url.starts_with("fs") {
                format!("{root}/blobs")
            } else {
                format!("{root}.blobs")
            };
            damage_file(damage, &Path::new(&blobs).join(&digest[..2]).join(&digest));

            let loaded: Parcel = larder.load("parcel").unwrap();
            let error = loaded.content.get().unwrap_err();
            assert!(matches!(error, larder::Error::Corrupt { .. }), "{url} {damage}: {error}");
            assert!(error.to_string().contains(fault), "{url} {damage}: {error}");
            let reference: Reference = "parcel".parse().unwrap();
            let checked = larder.maintenance().verify([reference]).unwrap();
            assert_eq!(checked.findings.len(), 1, "{url} {damage}");
            assert!(checked.findings[0].fault.contains(fault));
            let gone = matches!(error, larder::Error::Corrupt { fault: Corruption::Missing, .. });
            assert_eq!(gone, damage == "remove");
        }
    }
}

fn damage_file(damage: &str, path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    std::fs::remove_file(path).unwrap();
    match damage {
        "flip" => bytes[150_000] ^= 1,
        "cut" => bytes.truncate(299_999),
        _ => return,
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_folder_without_rights_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o555)).unwrap();
    // Root may write anywhere, so a test that runs as root starts the worker as nobody.
    let program = folder.path().join("worker");
    // `cp`, because a file that this process writes stays open in children that other tests start meanwhile.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_worker")).arg(&program).status();
    assert!(copied.unwrap().success());
    for url in urls(&closed) {
        let mut command = Command::new(&program);
        command.args(["large", &url, "closed", "100"]);
        if std::fs::metadata(folder.path())
            .is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
        {
            command.uid(65_534).gid(65_534);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.starts_with("store error: cannot"), "{url}: {said}");
    }
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.db");
    std::fs::write(
        &text,
        "no database at all, but long enough to have a header of its own".repeat(20),
    )
    .unwrap();
    let before = std::fs::read(&text).unwrap();
    let error = larder::open(text.to_str().unwrap()).unwrap_err();
    let (action, reason) = refused(&error);
    assert!(action.contains("notes.db") && reason.contains("SQLite"), "{error}");
    assert_eq!(std::fs::read(&text).unwrap(), before);

    let error = larder::open(&format!("fs:{}", folder.path().display())).unwrap_err();
    assert!(refused(&error).1.contains("notes.db"), "{error}");
}
