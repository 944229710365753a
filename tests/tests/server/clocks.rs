//! Clients whose clocks are wrong.

use std::time::{Duration, SystemTime};

use larder::Larder;
use larder::maintenance::{GcOptions, LarderMaintenance};
use larder_tests::Parcel;

use super::served::Served;
use super::{assert_whole, noise, parcel};

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn late() -> SystemTime {
    SystemTime::now() - YEAR
}

fn early() -> SystemTime {
    SystemTime::now() + YEAR
}

fn content(round: u64) -> Vec<u8> {
    noise(200_000).iter().map(|byte| byte ^ round as u8).collect()
}

/// Clients with three clocks write to the same names and collect garbage.
#[test]
fn a_clock_that_is_off_by_a_year_loses_nothing() {
    let served = Served::at("memory:");
    let clients: Vec<Larder> =
        vec![served.client(), served.client().with_clock(late), served.client().with_clock(early)];
    let collect = GcOptions::new().grace(Duration::from_secs(2));
    for round in 0..9 {
        let client = &clients[round as usize % 3];
        let applied = client.apply("shared", &parcel(round, content(round))).unwrap();
        assert!(applied.is_created());
        assert_eq!(applied.version().version.get(), round + 1, "the newest is what came last");
        client.tag("shared", "prod").unwrap();
        let next = &clients[(round as usize + 1) % 3];
        assert_eq!(next.load::<Parcel>("shared:prod").unwrap().round, round);
        // What is removed can be restored by another clock, and what all collect is in nobody's use.
        if round > 0 {
            next.remove("shared@1").unwrap();
            clients[(round as usize + 2) % 3].maintenance().restore("shared@1").unwrap();
        }
        for collector in &clients {
            collector.maintenance().gc(&collect).unwrap();
        }
    }
    for client in &clients {
        for round in 0..9 {
            let loaded: Parcel = client.load(&*format!("shared@{}", round + 1)).unwrap();
            assert_eq!(loaded.content.get().unwrap().as_ref(), content(round));
        }
        assert_whole(client);
    }
}
