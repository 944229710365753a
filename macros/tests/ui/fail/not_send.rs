use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/stays")]
struct Stays {
    inner: std::cell::Cell<u8>,
}

fn main() {}
