//! `jobs`, `job`, `fire` and `work`.

use larder::jobs::LarderJobs;
use std::time::{Duration, SystemTime};

use larder::Larder;
use larder::jobs::JobsQuery;

use crate::components::{Cellar, Label};
use crate::test_dir::{TestDir, everywhere};

/// Returns the output with fixed ids.
fn with_stable_ids(larder: &Larder, mut text: String) -> String {
    let mut runs: Vec<String> = Vec::new();
    for job in larder.jobs().list(&JobsQuery::new()) {
        let id = job.unwrap().id;
        let (run, _) = id.id().rsplit_once('-').unwrap();
        if !runs.iter().any(|known| known == run) {
            runs.push(run.to_owned());
        }
    }
    for (number, run) in runs.iter().enumerate() {
        text = text.replace(run, &format!("[run {number}]"));
    }
    let is_time = |word: &str| word.len() == 20 && word.starts_with("20") && word.ends_with('Z');
    let lines = text.lines().map(|line| {
        let words = line.split(' ').map(|word| if is_time(word) { "[time]" } else { word });
        words.collect::<Vec<_>>().join(" ") + "\n"
    });
    lines.collect()
}

fn labels(dir: &TestDir) -> Larder {
    dir.apply("label", &Label { title: "Riesling".into(), years: vec![2019] });
    dir.apply("bare", &Label { title: "Merlot".into(), years: vec![] });
    dir.larder()
}

#[test]
fn an_event_is_fired_and_its_jobs_are_run_and_shown() {
    let printed = everywhere(|dir| {
        let larder = labels(dir);
        let mut all = String::new();
        let mut run = |args: &[&str]| {
            all += &format!(
                "$ larder {}\n{}",
                args.join(" "),
                with_stable_ids(&larder, dir.linked(args))
            );
        };
        run(&["fire", "label", "print", "--payload", "3"]);
        run(&["jobs", "label"]);
        run(&["work", "--drain"]);
        run(&["jobs", "--status", "succeeded"]);
        run(&["fire", "bare", "print", "--wait"]);
        run(&["fire", "label", "print", "--payload", "0", "--wait"]);
        run(&["jobs", "--status", "failed", "--status", "blocked"]);
        run(&["jobs", "--watch", "bare"]);
        all
    });
    insta::assert_snapshot!(printed, @"
    $ larder fire label print --payload 3
    exit 0
    --- stdout
    JOB                                     TRIGGER  EVENT  STATUS   TRY  SINCE                 MESSAGE
    label@1/[run 0]-0000  print    print  pending  0    [time]
    label@1/[run 0]-0001  stick    print  pending  0    [time]
    $ larder jobs label
    exit 0
    --- stdout
    JOB                                     TRIGGER  EVENT  STATUS   TRY  SINCE                 MESSAGE
    label@1/[run 0]-0000  print    print  pending  0    [time]
    label@1/[run 0]-0001  stick    print  pending  0    [time]
    $ larder work --drain
    exit 0
    --- stderr
    2 jobs done
    $ larder jobs --status succeeded
    exit 0
    --- stdout
    JOB                                     TRIGGER  EVENT  STATUS     TRY  SINCE                 MESSAGE
    label@1/[run 0]-0000  print    print  succeeded  1    [time]
    label@1/[run 0]-0001  stick    print  succeeded  1    [time]
    $ larder fire bare print --wait
    exit 0
    --- stdout
    JOB                                    TRIGGER  EVENT  STATUS     TRY  SINCE                 MESSAGE
    bare@1/[run 0]-0000  print    print  succeeded  1    [time]
    bare@1/[run 0]-0001  stick    print  skipped    0    [time]  it requires `years`, which is not set
    $ larder fire label print --payload 0 --wait
    exit 1
    --- stderr
    error: cannot complete the job label@1/[run 2]-0000 (`print`): it failed; see its log, or retry it
      caused by: there is nothing to print
    hint: see `larder job show ID` and `larder job logs ID`; retry it with `larder job retry ID`
    $ larder jobs --status failed --status blocked
    exit 0
    --- stdout
    JOB                                     TRIGGER  EVENT  STATUS   TRY  SINCE                 MESSAGE
    label@1/[run 2]-0000  print    print  failed   1    [time]  there is nothing to print
    label@1/[run 2]-0001  stick    print  blocked  0    [time]  `print` failed
    $ larder jobs --watch bare
    exit 0
    --- stdout
    JOB                                    TRIGGER  EVENT  STATUS     TRY  SINCE                 MESSAGE
    bare@1/[run 0]-0000  print    print  succeeded  1    [time]
    bare@1/[run 0]-0001  stick    print  skipped    0    [time]  it requires `years`, which is not set
    ");
}

#[test]
fn one_job_is_shown_cancelled_and_tried_again() {
    everywhere(|dir| {
        let larder = labels(dir);
        let fired = dir.linked(&["fire", "label", "print", "--payload", "2", "-q"]);
        let ids: Vec<&str> = fired.lines().filter(|line| line.contains('@')).collect();
        let [print, stick] = ids[..] else { panic!("{fired}") };
        let cancelled = dir.plain(&["job", "cancel", stick]);
        assert_eq!(cancelled, format!("exit 0\n--- stdout\ncancelled {stick}\n"));
        let refused = dir.plain(&["job", "cancel", stick]);
        assert!(
            refused.starts_with("exit 5") && refused.contains("it has already finished"),
            "{refused}"
        );
        let again = dir.plain(&["job", "retry", stick]);
        assert!(again.contains(&format!("retrying {stick} (`stick`)")), "{again}");

        // The plain program lists what it cannot run.
        let worked = dir.plain(&["work", "--drain", "--format", "json"]);
        assert!(worked.contains("\"jobs\": 0"), "{worked}");
        let worked = dir.linked(&["work", "--drain", "--concurrency", "2", "--format", "json"]);
        assert!(worked.contains("\"jobs\": 2"), "{worked}");

        let shown = with_stable_ids(&larder, dir.plain(&["job", "show", print]));
        for line in [
            "trigger   print
",
            "status    succeeded
",
            "progress  50%
",
            "payload   2
",
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
        let shown = dir.plain(&["job", "show", stick, "--format", "json"]);
        let json = shown.split_once("--- stdout\n").unwrap().1;
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!((&json["schema"], &json["status"]), (&1.into(), &"succeeded".into()));
        assert_eq!(json["depends_on"]["print"], print);

        let said = with_stable_ids(&larder, dir.plain(&["job", "logs", "--follow", print]));
        assert_eq!(said, "exit 0\n--- stdout\n[time] 1 2 of Riesling\n");
        let said = dir.plain(&["job", "logs", "-q", print]);
        assert_eq!(said, "exit 0\n--- stdout\n2 of Riesling\n");

        let cancelled = dir.linked(&["fire", "label", "print", "-q"]);
        let print = cancelled.lines().find(|line| line.contains('@')).unwrap();
        dir.plain(&["job", "cancel", print]);
        let again = dir.linked(&["job", "retry", print, "--wait", "--format", "json"]);
        assert_eq!(again.matches("\"status\": \"succeeded\"").count(), 1, "{again}");
        String::new()
    });
}

#[test]
fn jobs_that_were_over_long_ago_are_forgotten() {
    let printed = everywhere(|dir| {
        let long_ago = || SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
        let larder = labels(dir).with_clock(long_ago);
        larder.jobs().wait(&larder.jobs().fire("label", "print", 1).unwrap()).unwrap();
        dir.linked(&["fire", "label", "print", "--wait"]);
        let forget = ["job", "forget", "--older-than", "30days"];
        let printed = dir.plain(&forget)
            + &dir.plain(&[&forget[..], &["--format", "json"]].concat())
            + &dir.plain(&["job", "forget"]);
        assert_eq!(larder.jobs().list(&JobsQuery::new()).count(), 2);
        printed
    });
    insta::assert_snapshot!(printed, @r#"
    exit 0
    --- stderr
    deleted 2 jobs
    exit 0
    --- stdout
    {
      "schema": 1,
      "forgotten": 0
    }
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      --older-than <TIME>

    Usage: larder job forget --older-than <TIME> --store <URL>

    For more information, try '--help'.
    "#);
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn who_removes_or_puts_may_wait_for_the_jobs_of_that() {
    let printed = everywhere(|dir| {
        for bottles in [12, 13] {
            dir.apply("cellar", &Cellar { bottles });
        }
        dir.write("list.csv", "Riesling\n");
        // A queue that cannot be reached keeps nobody from writing.
        let nowhere = "nats://127.0.0.1:1?stream=nowhere";
        dir.plain(&["put", "list", "list.csv", "--wait", "--queue", nowhere])
            + &dir.linked(&["remove", "cellar@1", "--wait"])
            + &with_stable_ids(&dir.larder(), dir.linked(&["remove", "cellar@2", "--wait"]))
            + &dir.linked(&["remove", "list@1", "--queue", nowhere])
            + &dir.linked(&["fire", "list", "print", "--queue", "amqp://host"])
    });
    insta::assert_snapshot!(printed, @"
    exit 0
    --- stdout
    put list@1 (b3:5619721d3815, 359 B)
    --- stderr
    error: cannot connect to nats://127.0.0.1:1?stream=nowhere
      caused by: IO error: Connection refused (os error 111)
      caused by: Connection refused (os error 111)
    hint: workers poll for the jobs within ten seconds
    exit 0
    --- stdout
    removed cellar@1 (b3:85b80a5c8158, 92 B)
    --- stderr
    1 job done
    exit 1
    --- stdout
    removed cellar@2 (b3:2717e2f7b1ce, 92 B)
    --- stderr
    error: cannot complete the job cellar@2/[run 1]-0000 (`empty`): it failed; see its log, or retry it
      caused by: nobody wants to touch them
    hint: see `larder job show ID` and `larder job logs ID`; retry it with `larder job retry ID`
    exit 0
    --- stdout
    removed list@1 (b3:5619721d3815, 359 B)
    --- stderr
    error: cannot connect to nats://127.0.0.1:1?stream=nowhere
      caused by: IO error: Connection refused (os error 111)
      caused by: Connection refused (os error 111)
    hint: workers poll for the jobs within ten seconds
    exit 6
    --- stderr
    error: cannot use amqp://host: this program has no queue scheme `amqp`; it has nats:, tls:
    ");
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    everywhere(|dir| {
        labels(dir);
        let fails = |printed: String, exit: u8, reason: &str| {
            assert!(
                printed.starts_with(&format!("exit {exit}\n")) && printed.contains(reason),
                "{printed}"
            );
        };
        fails(dir.plain(&["fire", "label", "print"]), 6, "not linked in");
        fails(dir.linked(&["fire", "label", "paint"]), 5, "its triggers run on `print`");
        fails(dir.linked(&["fire", "lable", "print"]), 3, "did you mean label?");
        fails(dir.linked(&["fire", "label", "apply"]), 2, "it happens by itself");
        fails(
            dir.linked(&["fire", "label", "print", "--payload", "{"]),
            2,
            "cannot parse `--payload` as JSON",
        );
        fails(dir.plain(&["jobs", "--status", "done"]), 2, "there are pending, running");
        fails(dir.plain(&["job", "show", "label@1"]), 2, "a job is written");
        let none = "label@1/019aa1b2c3d4-9f8e7d6c5b4a-0001";
        fails(dir.plain(&["job", "show", none]), 3, "in this larder");
        String::new()
    });
}
