//! Where a program finds its token.

use std::fs;
use std::path::Path;
use std::process::Command;

use larder_access::Role;
use larder_tests::Doubler;

use super::served::Served;

/// Predicts in a process with this environment. Returns whether it worked, and what it printed.
fn predict(served: &Served, config: &Path, token: Option<&str>) -> (bool, String) {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"));
    worker.args(["predict", &served.server.url(), "wine", "2"]);
    worker.env_remove("LARDER_TOKEN").env("XDG_CONFIG_HOME", config).env("HOME", config);
    worker.env("XDG_CACHE_HOME", config.join("cache"));
    worker.envs(token.map(|token| ("LARDER_TOKEN", token)));
    let ran = worker.output().unwrap();
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.success(), String::from_utf8(text).unwrap())
}

#[cfg(unix)]
#[test]
fn a_token_is_in_the_environment_or_in_a_private_file() {
    use std::os::unix::fs::PermissionsExt;

    let served = Served::at("memory:");
    served.larder.apply("wine", &Doubler { factor: 3.0 }).unwrap();
    let token = served.user("ann", Role::Viewer, "wine");
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().to_owned();

    let (worked, said) = predict(&served, &config, None);
    assert!(!worked && said.contains("`LARDER_TOKEN`"), "{said}");
    let (worked, said) = predict(&served, &config, Some(&token));
    assert!(worked && said.contains("6.0"), "{said}");
    let (worked, said) = predict(&served, &config, Some("larder_QZ0"));
    assert!(!worked && said.contains("`LARDER_TOKEN`") && !said.contains("QZ0"), "{said}");

    let file = config.join("larder/tokens.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let keep = |origin: &str, mode: u32| {
        fs::write(&file, format!("{{\"{origin}\": \"{token}\"}}")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    };
    keep(&served.server.url(), 0o600);
    let (worked, said) = predict(&served, &config, None);
    assert!(worked && said.contains("6.0"), "{said}");
    keep(&served.server.url(), 0o644);
    let (worked, said) = predict(&served, &config, None);
    assert!(!worked && said.contains("chmod 600") && !said.contains(&token), "{said}");
    // The token of another server, or of another port, is not sent.
    for other in ["https://larder.example.com", "http://127.0.0.1:1", "http://127.0.0.1"] {
        keep(other, 0o600);
        let (worked, said) = predict(&served, &config, None);
        assert!(!worked && said.contains("`LARDER_TOKEN`") && !said.contains(&token), "{said}");
    }
}
