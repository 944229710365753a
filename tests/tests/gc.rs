//! Garbage collection: what goes, what stays, and what happens when others write meanwhile.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod gc {
    mod beside_processes;
    mod rules;
    mod scripted;
    mod steps;
}
