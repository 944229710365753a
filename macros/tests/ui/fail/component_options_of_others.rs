use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/workers", model, num_workers = 4)]
struct Workers;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/method", model, method = "transform")]
struct Method;

fn main() {}
