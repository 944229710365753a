//! Tells the crate which compiler builds it, for the records of class models.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Ok(target) = env::var("TARGET") {
        println!("cargo:rustc-env=LARDER_TARGET={target}");
    }
    // `rustc 1.95.0 (59807616e 2026-04-14)`; without it the compiler is not recorded.
    let asked = env::var_os("RUSTC").map(|rustc| Command::new(rustc).arg("--version").output());
    if let Some(Ok(output)) = asked
        && let Ok(text) = String::from_utf8(output.stdout)
        && let Some(version) = text.split_whitespace().nth(1)
    {
        println!("cargo:rustc-env=LARDER_RUSTC={version}");
    }
}
