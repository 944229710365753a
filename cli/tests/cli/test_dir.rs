//! A temporary folder with a larder, and programs that run in it.

use larder::files::LarderFiles;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use larder::store::StoreExt;
use larder::store::{Change, Committed, Expected};
use larder::versions::Toolchain;
use larder::{Artifact, Component, Larder};
use tempfile::TempDir;

use crate::components::{Label, LittleEndian, Price, Years};

/// The stores that tests run on.
const STORES: [&str; 2] = ["sqlite:larder.db", "fs:data_dir"];

/// The program, without components of other crates.
pub(crate) const PLAIN: &str = env!("CARGO_BIN_EXE_larder");

/// The example program, with the components of `components.rs`.
pub(crate) fn linked() -> PathBuf {
    let name = format!("linked{}", std::env::consts::EXE_SUFFIX);
    let path = Path::new(PLAIN).with_file_name("examples").join(name);
    assert!(path.exists(), "build it first: cargo build -p larder-cli --example linked");
    path
}

/// Runs `test` on every store, which must return the same on each.
pub(crate) fn everywhere(test: impl Fn(&TestDir) -> String) -> String {
    let [first, second] = STORES.map(|store| test(&TestDir::new(store)));
    assert_eq!(first, second, "the stores differ");
    first
}

pub(crate) struct TestDir {
    folder: TempDir,
    pub(crate) store: &'static str,
}

impl TestDir {
    /// A folder without a larder.
    pub(crate) fn new(store: &'static str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), store }
    }

    /// The larder, which is created if there is none. Its clock stands still.
    pub(crate) fn larder(&self) -> Larder {
        let (scheme, path) = self.store.split_once(':').unwrap();
        let url = format!("{scheme}:{}", self.path(path).display());
        let clock = || SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123);
        larder::open(&url).unwrap().with_clock(clock)
    }

    /// Applies two versions of a model, the first one tagged, and a label.
    pub(crate) fn filled(&self) -> &Self {
        self.apply("wine/price", &price([5.0, 1.5, 0.25]));
        self.apply("wine/price", &price([5.0, 2.0, 0.25]));
        self.apply("label", &Label { title: "Riesling".into(), years: vec![2019, 2021] });
        self.larder().tag("wine/price@1", "prod").unwrap();
        self
    }

    pub(crate) fn apply(&self, name: &str, component: &dyn Component) {
        let applied = self.larder().apply(name, component).unwrap();
        assert!(applied.is_created(), "{applied:?}");
    }

    /// Applies a class model, as if built with another compiler.
    pub(crate) fn class_model(&self) -> &Self {
        self.write("years.csv", "Riesling,2019\nMerlot,2021\n");
        let larder = self.larder();
        let mut run = larder.run("years").unwrap();
        run.log_artifact("list", self.path("years.csv")).unwrap();
        run.log_requirements(&["a list of years"]).unwrap();
        run.log_model::<Years>(&["list"]).unwrap();
        let here = Toolchain::here().unwrap();
        for found in larder.store().records("").collect::<Vec<_>>() {
            let (key, record) = found.unwrap();
            let text = std::str::from_utf8(&record.value).unwrap();
            let text = text.replace(&here.rustc, "1.2.3").replace(&here.target, "here-unknown");
            let change =
                Change::PutRecord { key, value: text.into(), expected: Expected::Anything };
            assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
        }
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// A command that runs on the larder.
    pub(crate) fn command(&self, program: impl AsRef<Path>, args: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        command.args(args).current_dir(self.folder.path());
        command.env("XDG_CACHE_HOME", self.path("cache")).env("LARDER_AUTHOR", "ann");
        command.env("XDG_CONFIG_HOME", self.path("config")).env_remove("LARDER_TOKEN");
        // The same on every machine, with the library or without.
        command.env("LARDER_ONNXRUNTIME", "none");
        command.env("LARDER_STORE", self.store).env("NO_COLOR", "1").env("COLUMNS", "100");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The output of the program.
    pub(crate) fn plain(&self, args: &[&str]) -> String {
        self.run(self.command(PLAIN, args), b"")
    }

    /// The output of the example program.
    pub(crate) fn linked(&self, args: &[&str]) -> String {
        self.run(self.command(linked(), args), b"")
    }

    /// The output of the example program with `input` on stdin.
    pub(crate) fn fed(&self, args: &[&str], input: impl AsRef<[u8]>) -> String {
        self.run(self.command(linked(), args), input.as_ref())
    }

    /// Runs a command; returns its exit code, stdout and stderr, without differences between stores.
    pub(crate) fn run(&self, mut command: Command, input: &[u8]) -> String {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        // Programs need not read all of their input.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let mut printed = format!("exit {}\n", output.status.code().unwrap());
        for (name, text) in [("stdout", text(output.stdout)), ("stderr", text(output.stderr))] {
            if !text.is_empty() {
                printed += &format!("--- {name}\n{text}");
            }
        }
        let place = self.store.split_once(':').unwrap().1;
        let printed = match Toolchain::here() {
            Some(here) => printed.replace(&here.rustc, "[rustc]").replace(&here.target, "[target]"),
            None => printed,
        };
        let lock = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
        let printed =
            printed.replace(&larder::store::Digest::of(&lock).to_string(), "[Cargo.lock]");
        // A feature that is added later belongs to the same program.
        let is_list = |line: &&str| line.starts_with("features  ");
        let features = printed.lines().find(is_list).map(str::to_owned).unwrap_or_default();
        let printed = match features.is_empty() {
            true => printed,
            false => printed.replace(&features, "features  [features]"),
        };
        printed
            .replace(&format!("{}", self.folder.path().display()), "[folder]")
            .replace(self.store, "[store]")
            .replace(place, "[place]")
            .replace(env!("CARGO_PKG_VERSION"), "[version]")
    }
}

pub(crate) fn price(weights: [f64; 3]) -> Price {
    let weights = Artifact::<Vec<f64>, LittleEndian>::new(weights.to_vec());
    Price { currency: "EUR".into(), weights }
}
