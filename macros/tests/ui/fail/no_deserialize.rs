use larder::prelude::*;

#[derive(Serialize, Component)]
#[component(tag = "ui/deaf")]
struct Deaf {
    a: u8,
}

fn main() {}
