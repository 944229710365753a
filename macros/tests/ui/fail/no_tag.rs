use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
struct NoTag {
    a: u8,
}

#[derive(Serialize, Deserialize, Component)]
#[component(model)]
struct OnlyModel;

fn main() {}
