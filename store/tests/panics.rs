//! Caught panics do not reach the panic hook of the program; others do. A process of its own, because the hook is one.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::panic;
use std::sync::Mutex;
use std::thread;

use larder_store::catch_panic;

static PRINTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn printed() -> Vec<String> {
    std::mem::take(&mut PRINTED.lock().unwrap())
}

#[test]
fn only_panics_that_nobody_catches_reach_the_hook() {
    panic::set_hook(Box::new(|info| {
        let text = info.payload().downcast_ref::<&str>().copied().unwrap_or("?");
        PRINTED.lock().unwrap().push(text.to_owned());
    }));

    let error = catch_panic("it", || -> () { panic!("caught") }).unwrap_err();
    assert_eq!(error.to_string(), "it panicked: caught");
    assert_eq!(printed(), [""; 0]);

    // On this thread, after one was caught.
    panic::catch_unwind(|| panic!("of the program")).unwrap_err();
    assert_eq!(printed(), ["of the program"]);

    // Inside one that is caught, and on another thread meanwhile.
    let nested = catch_panic("outer", || {
        catch_panic("inner", || -> () { panic!("inner") }).unwrap_err();
        thread::spawn(|| panic!("elsewhere")).join().unwrap_err();
        panic!("outer");
    });
    assert_eq!(nested.unwrap_err().to_string(), "outer panicked: outer");
    assert_eq!(printed(), ["elsewhere"]);

    // A hook that the program sets later is the one that runs.
    panic::set_hook(Box::new(|_| PRINTED.lock().unwrap().push("later".into())));
    panic::catch_unwind(|| panic!("x")).unwrap_err();
    assert_eq!(printed(), ["later"]);
    drop(panic::take_hook());
}
