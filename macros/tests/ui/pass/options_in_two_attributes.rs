use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(crate = ::larder)]
#[component(tag = "ui/two.attributes-1")]
struct Two;

fn main() {}
