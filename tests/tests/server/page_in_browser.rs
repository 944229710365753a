//! The web page in Chromium.

use std::path::Path;

use larder_access::Role;
use larder_tests::chromium;
use larder_tests::page::fill;
use larder_tests::page_rows;

use super::served::Served;

#[test]
fn every_screen_is_opened_and_used_in_chromium() {
    use larder::jobs::{JobsQuery, LarderJobs};

    let served = Served::at("memory:");
    fill(&served.larder).unwrap();
    page_rows::fill(&served.larder).unwrap();
    let jobs = served.larder.jobs();
    let job = jobs.list(&JobsQuery::new()).map(Result::unwrap).find(|job| job.trigger == "train");
    let job = job.unwrap().id.to_string();
    let guest = served.user("guest", Role::Viewer, "house/*");
    let reader = served.user("reader", Role::User, "shop/*");
    let (url, token) = (served.server.url(), served.token());
    let environment = [
        ("PAGE_URL", url.as_str()),
        ("PAGE_TOKEN", token),
        ("PAGE_GUEST", &guest),
        ("PAGE_READER", &reader),
        ("PAGE_JOB", &job),
    ];
    let faults = chromium::walk(Path::new(env!("CARGO_TARGET_TMPDIR")), &environment);
    assert_eq!(faults, Vec::<String>::new());
}
