use larder::prelude::*;

#[derive(Deserialize, Component)]
#[component(tag = "ui/mute")]
struct Mute {
    a: u8,
}

fn main() {}
