//! Servers that stop, lines that are cut, and answers that are lost.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use larder::store::with_causes;
use larder::{Error, Larder};
use larder_tests::postgres::Server;
use larder_tests::proxy::Proxy;

use super::{assert_whole, noise, numbers, parcel};

/// Acknowledged commits are present.
fn assert_there(larder: &Larder, acknowledged: &[larder::VersionInfo]) {
    let there = larder.versions("parcel").unwrap();
    for version in acknowledged {
        assert!(there.contains(version), "{version:?} was acknowledged");
    }
    assert_whole(larder);
}

/// Stops the server and starts it again, in the way of `end`, while versions are applied.
fn restarts(end: fn(&mut Server)) {
    let mut server = Server::start();
    let url = server.url("restarted");
    let [larder, impatient] =
        ["20", "0"].map(|retries| larder::open(&format!("{url}&retries={retries}")).unwrap());
    larder.apply("parcel", &parcel(0, noise(100))).unwrap();
    let ended = AtomicBool::new(false);
    let acknowledged = thread::scope(|scope| {
        let patient = scope.spawn(|| {
            let mut acknowledged = Vec::new();
            let mut round = 1;
            // On a busy machine, most are applied after the last start.
            while !ended.load(Ordering::Relaxed) || acknowledged.len() < 4 {
                let size = if round % 5 == 0 { 3 << 20 } else { 100 };
                let applied = larder.apply("parcel", &parcel(round, noise(size)));
                // Who has patience does not notice.
                acknowledged.push(applied.unwrap().version().clone());
                round += 1;
            }
            acknowledged
        });
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(300));
            end(&mut server);
            let error = impatient.apply("parcel", &parcel(9, noise(100))).unwrap_err();
            assert!(matches!(error, Error::Store { .. }), "{}", with_causes(&error));
            server.start_again();
        }
        thread::sleep(Duration::from_millis(300));
        ended.store(true, Ordering::Relaxed);
        patient.join().unwrap()
    });
    assert_there(&larder, &acknowledged);
    let all: Vec<_> = (1..=acknowledged.len() as u64 + 1).collect();
    assert_eq!(numbers(&larder, "parcel"), all, "no version was made twice");
}

#[test]
fn a_server_that_is_stopped_and_started_has_what_was_acknowledged() {
    restarts(Server::stop);
}

#[test]
fn a_server_that_crashed_has_what_was_acknowledged() {
    restarts(Server::crash);
}

/// The server has made the commit, and nobody hears it.
#[test]
fn a_commit_whose_answer_was_lost_is_not_made_twice() {
    let server = Server::start();
    let proxy = Proxy::to(server.port());
    let larder = larder::open(&server.url_by(proxy.port(), "lost")).unwrap();
    for round in 1..=5 {
        proxy.lose_answers(round);
        larder.apply("parcel", &parcel(round, noise(100))).unwrap();
        // The first was made, so there was no other to lose.
        assert_eq!(proxy.lose_answers(0), round - 1, "round {round}");
        assert_eq!(numbers(&larder, "parcel"), (1..=round).collect::<Vec<_>>());
    }
    assert_whole(&larder);
}

/// The server did not hear of the commit, and undoes what it was of.
#[test]
fn a_commit_that_did_not_arrive_is_made_again() {
    let server = Server::start();
    let proxy = Proxy::to(server.port());
    let larder = larder::open(&server.url_by(proxy.port(), "undone")).unwrap();
    for round in 1..=4 {
        proxy.lose_commits(round);
        larder.apply("parcel", &parcel(round, noise(100))).unwrap();
        assert_eq!(proxy.lose_commits(0), 0, "each try lost one");
        assert_eq!(numbers(&larder, "parcel"), (1..=round).collect::<Vec<_>>());
    }
    let impatient = format!("{}&retries=0", server.url_by(proxy.port(), "undone"));
    let impatient = larder::open(&impatient).unwrap();
    proxy.lose_commits(1);
    let error = impatient.apply("parcel", &parcel(9, noise(100))).unwrap_err();
    let Error::Store { action, .. } = &error else { panic!("{error:?}") };
    assert!(action.contains("whether"), "it may have been made: {action}");
    assert_eq!(numbers(&larder, "parcel"), [1, 2, 3, 4]);
    assert_whole(&larder);
}

#[test]
fn a_line_that_is_cut_anywhere_is_a_clean_error_or_no_error() {
    let server = Server::start();
    let proxy = Proxy::to(server.port());
    let url = server.url_by(proxy.port(), "cut");
    let (patient, impatient) =
        (larder::open(&url).unwrap(), larder::open(&format!("{url}&retries=0")).unwrap());
    let mut acknowledged = Vec::new();
    let mut errors = 0;
    for round in 0..60 {
        let larder = if round % 3 == 0 { &patient } else { &impatient };
        proxy.cut_after(round as u32 * 97 % 3_000 + if round % 4 == 0 { 2 << 20 } else { 0 });
        let size = if round % 4 == 0 { 4 << 20 } else { 100 };
        match larder.apply("parcel", &parcel(round, noise(size))) {
            Ok(applied) => acknowledged.push(applied.version().clone()),
            Err(error) => {
                errors += 1;
                assert!(
                    round % 3 != 0,
                    "who has patience does not notice: {}",
                    with_causes(&error)
                );
                assert!(matches!(error, Error::Store { .. }), "{}", with_causes(&error));
            }
        }
    }
    assert!(errors > 5, "{errors} errors");
    assert_there(&larder::open(&server.url("cut")).unwrap(), &acknowledged);
}

#[test]
fn what_postgres_acknowledged_survives_kills_of_its_writers() {
    let server = Server::start();
    let url = server.url("killed");
    let larder = larder::open(&url).unwrap();
    let mut acknowledged = Vec::new();
    for kill in 0..40_u64 {
        let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"));
        let mut child =
            worker.args(["forever", &url, "parcel"]).stdout(Stdio::piped()).spawn().unwrap();
        // Once it is at work, it is killed at another moment each time.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        thread::sleep(Duration::from_millis(kill * 79 % 100));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in [first].into_iter().chain(lines.map_while(Result::ok)) {
            // A line that the kill cut off has a short digest.
            if let [_, number, digest] = line.split(' ').collect::<Vec<_>>()[..]
                && digest.len() == 67
            {
                acknowledged.push((number.parse::<u64>().unwrap(), digest.to_owned()));
            }
        }
    }
    assert!(acknowledged.len() >= 40, "{} versions were acknowledged", acknowledged.len());
    let there: Vec<_> = larder.versions("parcel").unwrap();
    let there: Vec<_> = there.iter().map(|it| (it.version.get(), it.digest.to_string())).collect();
    for version in &acknowledged {
        let times = acknowledged.iter().filter(|other| other.0 == version.0).count();
        assert!(times == 1 && there.contains(version), "{version:?} was acknowledged");
    }
    assert_whole(&larder);
}
