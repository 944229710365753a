//! Runs the commands of `docs/tour.md`, and compares their output.
//!
//! `UPDATE_TOUR=1` updates it; review the difference.

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

use larder::versions::Toolchain;

use crate::test_dir::PLAIN;

const TOUR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tour.md");
/// Replaces every time in the tour.
const DAY: &str = "2026-11-21T08:30:00";

/// The tour with the current output of each command.
fn updated(tour: &str, folder: &Path) -> String {
    let mut updated = String::new();
    let mut in_console = false;
    for line in tour.lines() {
        let fence = line.starts_with("```");
        in_console = if fence { line == "```console" } else { in_console };
        if let Some(command) = line.strip_prefix("$ ").filter(|_| in_console) {
            updated += &format!("{line}\n{}", run(command, folder));
        } else if fence || !in_console {
            updated += &format!("{line}\n");
        }
    }
    updated
}

/// The output of a command, with stable times and versions.
fn run(command: &str, folder: &Path) -> String {
    let programs = Path::new(PLAIN).parent().unwrap().display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{{ {command}\n}} 2>&1")]).current_dir(folder);
    shell
        .env("PATH", path)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("LC_ALL", "C");
    shell.env("LARDER_ONNXRUNTIME", "none");
    shell.env("LARDER_AUTHOR", "ann").env("NO_COLOR", "1").env("COLUMNS", "100");
    shell.env_remove("LARDER_STORE").env_remove("LARDER_COMPLETE");
    let printed = shell.output().unwrap();
    let mut text = String::from_utf8(printed.stdout).unwrap();
    if let Some(here) = Toolchain::here() {
        text = text.replace(&format!("rustc {}", here.rustc), "rustc 1.95.0");
        text = text.replace(&here.target, "x86_64-unknown-linux-gnu");
    }
    let free = |line: &str| match line.starts_with("free  ") {
        true => "free       96.0 GiB\n".to_owned(),
        false => format!("{line}\n"),
    };
    text.lines().map(free).map(|line| on_the_day(&line)).collect()
}

/// Replaces every time in the line.
fn on_the_day(line: &str) -> String {
    let is_time = |found: &[u8]| {
        found.iter().zip(DAY.bytes()).all(|(found, model)| match model {
            b'0'..=b'9' => found.is_ascii_digit(),
            _ => *found == model,
        })
    };
    let mut bytes = line.as_bytes().to_vec();
    let mut at = 0;
    while at + DAY.len() <= bytes.len() {
        let end = at + DAY.len();
        if is_time(&bytes[at..end]) {
            bytes[at..end].copy_from_slice(DAY.as_bytes());
            // Removes milliseconds.
            if bytes.get(end) == Some(&b'.') {
                bytes.drain(end..(end + 4).min(bytes.len()));
            }
        }
        at += 1;
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn the_tour_is_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let tour = fs::read_to_string(TOUR).unwrap();
    let updated = updated(&tour, folder.path());
    if std::env::var_os("UPDATE_TOUR").is_some() {
        fs::write(TOUR, &updated).unwrap();
    }
    let differ = |(expected, printed): (&str, &str)| {
        (expected != printed).then(|| format!("- {expected}\n+ {printed}\n"))
    };
    let lines = tour.lines().zip(updated.lines());
    let difference: String = lines.filter_map(differ).take(20).collect();
    assert!(
        tour == updated || std::env::var_os("UPDATE_TOUR").is_some(),
        "docs/tour.md is out of date; UPDATE_TOUR=1 updates it:\n{difference}"
    );
}

#[test]
fn the_tour_has_every_command() {
    let help = Command::new(PLAIN).arg("help").env("COLUMNS", "100").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.lines().skip_while(|line| *line != "Everyday:");
    let commands = commands.take_while(|line| *line != "Global options:");
    let starts = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<_> = starts.filter(|name| !name.is_empty() && *name != "help").collect();
    assert!(names.len() > 20, "{help}");
    let tour = fs::read_to_string(TOUR).unwrap();
    for name in names {
        let shown = tour.lines().filter(|line| line.starts_with("$ "));
        let shows = format!("larder {name} ");
        assert!(
            shown.map(|line| format!("{line} ")).any(|line| line.contains(&shows)),
            "docs/tour.md does not show `larder {name}`"
        );
    }
}

#[test]
fn times_are_normalised_everywhere() {
    assert_eq!(on_the_day("a 2031-01-02T03:04:05Z b"), format!("a {DAY}Z b"));
    assert_eq!(on_the_day("2031-01-02T03:04:05.678Z"), format!("{DAY}Z"));
    assert_eq!(on_the_day("2031-01-02 03:04:05Z"), "2031-01-02 03:04:05Z");
    assert_eq!(on_the_day("ü"), "ü");
}
