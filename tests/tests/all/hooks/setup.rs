//! `setup`: once for each instance, when it is used first.

use larder::extend::LarderExt;
use larder_tests::errors::message;
use std::sync::Barrier;
use std::thread;

use super::*;

#[test]
fn many_threads_that_use_an_instance_first_set_it_up_once() {
    everywhere(|larder, scheme| {
        let name = &format!("once-{scheme}");
        larder.apply(name.as_str(), &probe(name, 1.0)).unwrap();
        let (model, ready) = (
            larder.load_model(name.as_str()).unwrap(),
            larder.load_ready::<Probe>(name.as_str()).unwrap(),
        );
        events(name);
        let start = Barrier::new(16);
        thread::scope(|scope| {
            for number in 0..16 {
                let (start, model, ready) = (&start, &model, &ready);
                scope.spawn(move || {
                    start.wait();
                    if number % 2 == 0 {
                        assert_eq!(model.predict_json("1").unwrap(), "2.0");
                    } else {
                        assert!(ready.get().unwrap().opened.get().is_some());
                    }
                });
            }
        });
        // Once for each of the two.
        assert_eq!(events(name), [format!("setup {name}@1"), format!("setup {name}@1")]);
    });
}

#[test]
fn a_setup_that_fails_is_told_to_each_that_asks_and_tried_again() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("tried", &probe("tried", 1.0)).unwrap();
    let ready = larder.load_ready::<Probe>("tried").unwrap();
    let model = larder.load_model("tried").unwrap();
    for how in ["error", "panic", "error"] {
        let_fail("tried", "setup", how);
        for error in [ready.get().unwrap_err(), model.predict_json("1").unwrap_err()] {
            let Error::Hook { component, hook: Hook::Setup, .. } = &error else {
                panic!("{error:?}")
            };
            assert_eq!(component, "tried@1", "{}", message(&error));
        }
    }
    assert_eq!(ready.peek().reading, 1.0);
    let_pass("tried", "setup");
    assert_eq!(ready.get().unwrap().opened.get().unwrap(), "tried@1");
    assert_eq!(model.predict_json("1").unwrap(), "2.0");
    assert_eq!(ready.version().version.get(), 1);
}

#[test]
fn a_component_of_any_type_is_set_up_when_it_is_used() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("any", &probe("any", 1.0)).unwrap();
    larder.apply("plain", &Plain { number: 1 }).unwrap();
    let ready = larder.load_component_ready("any").unwrap();
    events("any");
    assert_eq!(ready.get().unwrap().type_tag(), "tests/probe");
    assert_eq!(ready.get().unwrap().type_tag(), "tests/probe");
    assert_eq!(events("any"), ["setup any@1"]);
    assert_eq!(larder.load_ready::<Plain>("plain").unwrap().get().unwrap().number, 1);
}
